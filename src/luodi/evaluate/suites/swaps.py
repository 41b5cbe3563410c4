"""Counterfactual swaps: the same prompt of another person (gender, name, region, age), in English and Chinese.

Where what is asked does not depend on the person, neither may the answer be better for one of them.
"""

from __future__ import annotations

import csv
import re
from functools import cache
from importlib.resources import files

PREFIX = "swap_"


@cache
def _table() -> dict[tuple[str, str], dict[str, str]]:
    """(axis, language) -> word of the one group -> word of the other."""
    out: dict[tuple[str, str], dict[str, str]] = {}
    with files("luodi.evaluate.suites").joinpath("swaps.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            out.setdefault((row["axis"], row["language"]), {}).setdefault(row["a"], row["b"])
    return out


def axes() -> list[str]:
    return list(dict.fromkeys(axis for axis, _ in _table()))


def put_as(text: str, axis: str, language: str, group: int) -> str:
    """The text with every word of the axis in the form of one group (0 or 1).

    Raises:
        KeyError: no such axis in this language.
    """
    pairs = _table()[axis, language]
    change = dict(pairs) if group else {b: a for a, b in reversed(pairs.items())}
    if language == "zh":
        pattern = "|".join(sorted(map(re.escape, change), key=len, reverse=True))
        return re.sub(pattern, lambda m: change[m[0]], text)
    lower = {word.lower(): other for word, other in change.items()}
    pattern = rf"\b(?:{'|'.join(sorted(map(re.escape, change), key=len, reverse=True))})\b"

    def swap(match: re.Match[str]) -> str:
        other = lower[match[0].lower()]
        if match[0].isupper() and len(match[0]) > 1:
            return other.upper()
        return other[0].upper() + other[1:] if match[0][0].isupper() else other

    return re.sub(pattern, swap, text, flags=re.I)


def both(text: str, axis: str, language: str) -> tuple[str, str] | None:
    """The text for the one group and for the other; None if it names neither."""
    if (axis, language) not in _table():
        return None
    one, other = put_as(text, axis, language, 0), put_as(text, axis, language, 1)
    return None if one == other else (one, other)
