"""A time of the machine's monotonic clock as a word: nothing that a check of personal data takes for a number.

stamp(1_234_567) == b"zqaaaacsghjz"
"""

from __future__ import annotations

import re
from itertools import product
from string import ascii_lowercase

_BASE = 26**3
_TABLE = [bytes(ord(c) for c in letters) for letters in product(ascii_lowercase, repeat=3)]
_PLACE = {letters: place for place, letters in enumerate(_TABLE)}
STAMP = re.compile(rb"zq([a-z]{9})z")


def stamp(micros: int) -> bytes:
    """Twelve letters; after 62 days they come again."""
    rest, low = divmod(micros, _BASE)
    high, middle = divmod(rest, _BASE)
    return b"zq" + _TABLE[high % _BASE] + _TABLE[middle] + _TABLE[low] + b"z"


def stamped(text: bytes) -> list[tuple[int, int]]:
    """(where it ends, microseconds) of every stamp in `text`."""
    found = []
    for match in STAMP.finditer(text):
        letters = match[1]
        micros = (_PLACE[letters[:3]] * _BASE + _PLACE[letters[3:6]]) * _BASE + _PLACE[letters[6:]]
        found.append((match.end(), micros))
    return found
