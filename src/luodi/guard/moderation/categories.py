"""Categories of content: the 31 risks of GB/T 45654 annex A, MLCommons' hazards, and OpenAI's moderation categories.

The rows are data (`categories.csv`): a risk or hazard names the categories of the other taxonomies that it is part of.
Mapping is by subject and says nothing of another party's thresholds.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files

OPENAI = (
    "harassment", "harassment/threatening", "hate", "hate/threatening", "illicit", "illicit/violent", "self-harm",
    "self-harm/intent", "self-harm/instructions", "sexual", "sexual/minors", "violence", "violence/graphic",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Category:
    """One category.

    Attributes:
        id: "A.1.1" to "A.5.2" (GB/T 45654), "S1" to "S14" (MLCommons).
        group: "A.1" to "A.5", or "mlcommons".
        openai, mlcommons: categories of the other taxonomies that it is part of.
        words: how many words a library must hold for it at least (GB/T 45654).
    """

    id: str
    group: str
    en: str
    zh: str
    openai: tuple[str, ...]
    mlcommons: tuple[str, ...]
    words: int


def _read() -> dict[str, Category]:
    text = (files("luodi.guard.moderation") / "categories.csv").read_text("utf-8")
    return {
        row["id"]: Category(
            row["id"], row["group"], row["en"], row["zh"], tuple(row["openai"].split()),
            tuple(row["mlcommons"].split()), int(row["words"]),
        )
        for row in csv.DictReader(text.splitlines())
    }  # fmt: skip


CATEGORIES: Mapping[str, Category] = _read()


def openai_scores(scores: Iterable[tuple[str, float]]) -> dict[str, float]:
    """A score for each of OpenAI's categories: the highest of those that are part of it, else 0."""
    out = dict.fromkeys(OPENAI, 0.0)
    for id, score in scores:
        names = (id,) if id in out else CATEGORIES[id].openai if id in CATEGORIES else ()
        for name in names:
            out[name] = max(out[name], score)
    return out
