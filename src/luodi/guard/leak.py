"""Does an answer give away the system prompt: canary strings, and long runs of it word for word."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from luodi.guard.normalise import normalise

SHINGLE = 24  # letters and digits without spaces: about five English words, or two dozen Chinese characters
_SIGN = re.compile(r"\w")
_NO_SIGN = re.compile(r"\W+")


@dataclass(frozen=True, slots=True)
class Leak:
    """What of the protected text stands in an answer.

    Attributes:
        share: part of the protected text's shingles found, 0 to 1; 1.0 with a canary.
        spans: half-open spans of the answer, in characters, in order, not overlapping.
        canary: whether a canary stands there.
    """

    share: float
    spans: tuple[tuple[int, int], ...]
    canary: bool


def _letters(text: str) -> tuple[str, list[int]]:
    """The letters and digits of `text` in lower case, one for one, and where each stands."""
    signs, places = [], []
    for found in _SIGN.finditer(text):
        small = found[0].lower()
        signs.append(small if len(small) == 1 else found[0])
        places.append(found.start())
    return "".join(signs), places


class LeakCheck:
    """Compares answers with one protected text.

    Args:
        protected: the system prompt; "" for none.
        canaries: strings that stand only in the prompt, to be found even in other case or spacing.
    """

    def __init__(self, protected: str, canaries: Sequence[str] = ()) -> None:
        short = [canary for canary in canaries if len(_letters(canary)[0]) < 6]
        if short:
            raise ValueError(f"canary {short[0]!r} has fewer than 6 letters or digits and would match by chance")
        letters, _ = _letters(protected)
        size = min(SHINGLE, len(letters))
        self._size = size
        self._shingles = (
            frozenset(letters[at : at + size] for at in range(len(letters) - size + 1)) if size else frozenset()
        )
        self._canaries = [_letters(normalise(canary))[0] for canary in canaries]

    def check(self, answer: str) -> Leak:
        """The leak in `answer`; linear in its length."""
        letters, places = _letters(answer)
        found = {letters[at : at + self._size] for at in range(len(letters) - self._size + 1)} & self._shingles
        runs = sorted(self._runs(letters))
        spans: list[tuple[int, int]] = []
        for start, end in runs:
            left, right = places[start], places[end - 1] + 1
            if spans and left <= spans[-1][1]:
                spans[-1] = (spans[-1][0], max(right, spans[-1][1]))
            else:
                spans.append((left, right))
        canary = any(mark in letters for mark in self._canaries)
        share = 1.0 if canary else len(found) / max(1, len(self._shingles))
        return Leak(share, tuple(spans), canary)

    def _runs(self, letters: str) -> Iterator[tuple[int, int]]:
        if self._size:
            for at in range(len(letters) - self._size + 1):
                if letters[at : at + self._size] in self._shingles:
                    yield at, at + self._size
        for mark in self._canaries:
            at = letters.find(mark)
            while at >= 0:
                yield at, at + len(mark)
                at = letters.find(mark, at + len(mark))


class LeakWatch:
    """The same measure on a stream: what `check` says of all text so far, at the cost of the new text only.

    Canaries are searched in the last letters that one can cross a border with.
    """

    def __init__(self, check: LeakCheck) -> None:
        self._check = check
        self._tail = ""
        self._keep = max([check._size, *(len(mark) for mark in check._canaries)], default=0)
        self._found: set[str] = set()
        self._canary = False

    def feed(self, piece: str) -> float:
        """Share of the protected text that has been given away so far; 1.0 with a canary."""
        check, size = self._check, self._check._size
        fresh = _NO_SIGN.sub("", piece).lower() if piece.isascii() else _letters(piece)[0]
        letters = self._tail + fresh
        if size:
            starts = range(max(0, len(self._tail) - size + 1), len(letters) - size + 1)
            self._found |= {letters[at : at + size] for at in starts} & check._shingles
        self._canary = self._canary or any(mark in letters for mark in check._canaries)
        self._tail = letters[-self._keep :] if self._keep else ""
        return 1.0 if self._canary else len(self._found) / max(1, len(check._shingles))
