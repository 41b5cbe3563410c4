"""Texts as values of records, the way tools, tables and mail bring them: YAML, JSON, or lines with names.

A model that has seen attacks in such form only would take every record for one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from numpy.random import Generator

_NAMES = (
    "name", "title", "subject", "body", "text", "description", "comment", "note", "review", "message", "content",
    "from", "address", "city", "category", "status", "sender", "recipient", "summary", "details", "remark", "标题",
    "内容", "备注",
)  # fmt: skip
_NUMBERS = ("id", "price", "amount", "rating", "count", "room", "year", "balance", "quantity", "score")
_WORDS = ("true", "false", "null", "2024-05-01", "2023-11-17 09:30", "Paris", "London", "[]", "EUR", "open", "no-reply")


def as_record(values: Sequence[str], rng: Generator) -> str:
    """One record that holds the values in their order, and some numbers and dates between them."""

    def pick(choices: Sequence[str]) -> str:
        return choices[int(rng.integers(len(choices)))]

    fields: list[tuple[str, str]] = []
    for value in values:
        if rng.random() < 0.6:
            fields.append((pick(_NUMBERS), f"{rng.random() * 10 ** int(rng.integers(5)):.{int(rng.integers(3))}f}"))
        if rng.random() < 0.4:
            fields.append((pick(_NAMES), pick(_WORDS)))
        fields.append((pick(_NAMES), value))
    fields = [(f"{name}_{n}" if name in [other for other, _ in fields[:n]] else name, value)
              for n, (name, value) in enumerate(fields)]  # fmt: skip
    form = int(rng.integers(3))
    if form == 0:
        return json.dumps([dict(fields)], ensure_ascii=False, indent=int(rng.integers(3)) or None)
    if form == 1:
        quoted = [f'{name}: "{value}"' if len(value) > 8 else f"{name}: {value}" for name, value in fields]
        return "- " + "\n  ".join(quoted)
    return "\n".join(f"{name.title()}: {value}" for name, value in fields)
