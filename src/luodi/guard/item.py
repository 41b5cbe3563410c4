"""The record that every personal-data detector returns, and the reach that all of them keep to.

The two limits make streaming exact: whether `text[s:e]` is a value depends only on the `LEFT` characters
before `s` and on the characters that follow without a break, at most `WINDOW` of them. PEM blocks alone are
longer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

LEFT = 48  # characters before a value in which its context words may stand
WINDOW = 2048  # longest value but a PEM block, in characters, with what is read after it
PEM_LIMIT = 8192  # longest PEM block: an RSA-8192 key has about 6,400 characters

HAN = re.compile("[\u4e00-\u9fff]")
# Full-width signs that a value may be written with, and the dashes and spaces that editors put in numbers. The marks of
# Chinese prose (，！？；) stay as they are: they end a value.
_PLAIN = {code: code - 0xFEE0 for code in range(0xFF02, 0xFF5F) if chr(code) not in "，；？"}
_PLAIN |= dict.fromkeys([*range(0x2010, 0x2015), 0x2212, 0xFE63], ord("-"))
_PLAIN |= dict.fromkeys([0xA0, 0x2007, 0x2009, 0x202F, 0x3000], ord(" "))
_HAS_OTHER = re.compile("[" + "".join(map(chr, _PLAIN)) + "]")


@dataclass(frozen=True, slots=True)
class PersonalItem:
    """One value found in a text.

    Attributes:
        kind: one of `personal.KINDS`, or of `entities.ENTITY_KINDS` where a model looks for names.
        start, end: half-open span, in characters of the text that was given.
        text: the value as it stands there.
        score: fixed confidence of the rule that found it, 0 to 1; not a calibrated probability.
    """

    kind: str
    start: int
    end: int
    text: str
    score: float

    def moved(self, by: int) -> PersonalItem:
        """The same value, `by` characters further on."""
        return PersonalItem(self.kind, self.start + by, self.end + by, self.text, self.score)


def item_of(kind: str, text: str, start: int, end: int, score: float) -> PersonalItem:
    """The value that stands at a place of `text`."""
    return PersonalItem(kind, start, end, text[start:end], score)


def version_of(package: str) -> str:
    """The version of an installed distribution."""
    from importlib.metadata import version

    return version(package)


@dataclass(frozen=True, slots=True)
class Span:
    """A value by position only, as a detector hands it on; same units as `PersonalItem`."""

    start: int
    end: int
    score: float


def flatten(text: str) -> str:
    """`text` with full-width digits, letters and signs, dashes and odd spaces made plain; positions stay the same."""
    return text if text.isascii() or not _HAS_OTHER.search(text) else text.translate(_PLAIN)


def near(flat: str, start: int, words: re.Pattern[str]) -> bool:
    """Whether one of `words` stands in the `LEFT` characters before `start`."""
    return words.search(flat[max(0, start - LEFT) : start]) is not None


def words(*alternatives: str) -> re.Pattern[str]:
    """A case-blind pattern of context words; Latin ones must not stand inside a longer word."""
    latin = "|".join(word for word in alternatives if word.isascii())
    other = "|".join(word for word in alternatives if not word.isascii())
    parts = [rf"(?<![a-z])(?:{latin})(?![a-z])"] if latin else []
    return re.compile("|".join([*parts, *([other] if other else [])]), re.IGNORECASE)
