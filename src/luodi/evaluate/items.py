"""Scores item by item, kept beside a measurement, so that two releases are compared on the same items.

`items.json` in the artifact of a stage that measures, and in a release's `evidence/`:

    {"schema": 1, "measures": {"answer_f1": [["item id", 0.41, ""], …], …}}

An entry is (id, score from 0 to 1, cluster). Items of one cluster (sentences of one answer, questions on one passage)
are not independent; "" stands alone. An id names the same question in every release; no text is kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from luodi.errors import IntegrityError

FILE = "items.json"
_SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Item:
    """What one item scored."""

    id: str
    score: float
    cluster: str = ""


Items = Mapping[str, Sequence[Item]]


def items_of(ids: Iterable[str], scores: Iterable[float], clusters: Iterable[str] | None = None) -> list[Item]:
    """Items from columns. Raises: ValueError if the columns are not of one length."""
    names = list(ids)
    return [
        Item(name, float(score), cluster)
        for name, score, cluster in zip(names, scores, clusters or [""] * len(names), strict=True)
    ]


def clusters_of(items: Sequence[Item]) -> list[str] | None:
    """The cluster of each item, those without one standing alone; None where all of them do."""
    if not any(item.cluster for item in items):
        return None
    return [f"c {item.cluster}" if item.cluster else f"i {item.id}" for item in items]


def keep(folder: Path, measures: Items) -> None:
    """Write the items of some measurements into a stage's folder, beside what is there already.

    Raises:
        ValueError: an id stands twice in one measurement, or a score is not between 0 and 1.
    """
    path = folder / FILE
    kept = json.loads(path.read_bytes())["measures"] if path.is_file() else {}
    for name, items in measures.items():
        seen: set[str] = set()
        for item in items:
            if item.id in seen:
                raise ValueError(f"{name}: item {item.id!r} is there twice")
            if not 0 <= item.score <= 1:
                raise ValueError(f"{name}: item {item.id!r} scores {item.score}; scores lie between 0 and 1")
            seen.add(item.id)
        kept[name] = [[i.id, round(i.score, 6), i.cluster] for i in items]
    text = json.dumps({"schema": _SCHEMA, "measures": kept}, ensure_ascii=False, separators=(",", ":"))
    path.write_text(text + "\n", "utf-8")


def read_items(folder: Path) -> dict[str, list[Item]]:
    """The items kept in a folder; {} where there are none.

    Raises:
        IntegrityError: the file is of another form.
    """
    path = folder / FILE
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_bytes())
        if found["schema"] != _SCHEMA:
            raise ValueError(found["schema"])
        return {name: [Item(str(i), float(s), str(c)) for i, s, c in rows] for name, rows in found["measures"].items()}
    except (ValueError, KeyError, TypeError) as error:
        raise IntegrityError(f"{path} does not hold items", "it was written by another version") from error
