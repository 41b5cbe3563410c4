"""Whether two questions ask the same: what an embedder can't tell, read off the words.

Two questions that differ in a number, a "not" or "before" against "after" lie next to each other in every embedding,
nearer than many a paraphrase. So a near question stands for another only if nothing tells them apart: numbers with
units, dates, names, quoted text, negation, opposites, the question word, any other word that is neither an inflection
nor a listed synonym nor filling, and the order. English and Chinese; what is in doubt differs.
"""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from luodi.gateway.cache.reading import Token, read


@dataclass(frozen=True, slots=True)
class Facts:
    """What a question is made of.

    Attributes:
        asks: its question word and what goes with it: "how", "when", "how many", "yes-no can", …
        tense: "", "past" or "future".
        tokens: what is said, in order, without filling; kinds in `reading.Token`.
    """

    asks: str
    tense: str
    tokens: tuple[Token, ...]


def facts(question: str) -> Facts:
    """Read a question."""
    return Facts(*read(question))


def differs(a: Facts, b: Facts) -> str:
    """What tells two questions apart, by its first reason; "" if nothing does.

    One of: quoted, numbers, names, negation, opposites, question, tense, words, order, or nothing to compare.
    """
    left, right = Counter(map(_said, a.tokens)), Counter(map(_said, b.tokens))
    if not left or not right:
        return "nothing to compare"
    only = [*(left - right), *(right - left)]
    if only:
        names = {("", t.text) for t in (*a.tokens, *b.tokens) if t.kind == "name"}
        kinds = {kind or ("name" if (kind, text) in names else "") for kind, text in only}
        for kind, reason in (("quote", "quoted"), ("number", "numbers"), ("not", "negation"), ("name", "names")):
            if kind in kinds:
                return reason
        return "opposites" if _are_opposite(left - right, right - left) else "words"
    if a.asks != b.asks:
        return "question"
    if a.tense != b.tense:
        return "tense"
    return "" if _same_order(a.tokens, b.tokens) else "order"


def _said(token: Token) -> tuple[str, str]:
    """What must agree. A name may be written like any word."""
    return ("" if token.kind in ("name", "word") else token.kind, token.text)


def _are_opposite(a: Counter[tuple[str, str]], b: Counter[tuple[str, str]]) -> bool:
    mine, theirs = {text for _, text in a}, {text for _, text in b}
    # Chinese is compared by the character: 开启 and 关闭 are what is left of two questions.
    together = ["".join(text for text in each if len(text) == 1) for each in (mine, theirs)]
    found = _opposites()
    return any((x, y) in found for x in mine for y in theirs) or any(
        set(x) <= set(together[0]) and set(y) <= set(together[1]) for x, y in found if x > "㐀"
    )


def _same_order(a: tuple[Token, ...], b: tuple[Token, ...]) -> bool:
    """The same order, or with one phrase that begins with a preposition at the other end ("in Django, …")."""
    if _texts(a) == _texts(b):
        return True
    return any(
        _texts(a[k:] + a[:k]) == _texts(b) and ((a[k].led and b[0].led) or (a[0].led and b[len(a) - k].led))
        for k in range(1, len(a))
    )


def _texts(tokens: tuple[Token, ...]) -> list[str]:
    return [t.text for t in tokens]


@cache
def _opposites() -> frozenset[tuple[str, str]]:
    with (Path(__file__).parent / "words.csv").open(encoding="utf-8", newline="") as file:
        pairs = [r["words"].split() for r in csv.DictReader(file) if r["kind"] == "opposite"]
    return frozenset(pair for x, y in pairs for pair in ((x, y), (y, x)))
