"""Questions whose right section is known: headings that only one section has."""

from __future__ import annotations

import random
from collections import Counter

from luodi.data.questions import opening, question_for
from luodi.knowledge.words import words
from luodi.pipeline import Row


def _name(row: Row) -> str:
    return " ".join(words(row.title.rpartition(" › ")[2]))


def asked_of(sections: list[Row], limit: int, seed: int = 5) -> list[tuple[str, Row]]:
    """(question, the section it is about). Chinese headings are asked as they are."""
    named = Counter(_name(r) for r in sections)
    rows = [r for r in sections if named[_name(r)] == 1 and len(_name(r)) >= 4]
    random.Random(seed).shuffle(rows)
    out = []
    for row in rows:
        own = row.title.rpartition(" › ")[2]
        chinese = any("\u4e00" <= sign <= "\u9fff" for sign in own)
        question = own if chinese else question_for(row, random.Random(own))
        if question and (chinese or opening(row)):
            out.append((question, row))
        if len(out) == limit:
            break
    return out
