"""Masking on a stream: emit only text that no later chunk can turn into part of a value."""

from __future__ import annotations

from collections.abc import Callable

from luodi.guard import identity
from luodi.guard.credential import PEM_MARK, pem_open
from luodi.guard.item import LEFT, PEM_LIMIT, WINDOW, PersonalItem, flatten
from luodi.guard.personal import candidates, mask, resolve

Scan = Callable[[str, int], list[PersonalItem]]

_AHEAD = 2  # a detector reads at most this many characters behind a value
_INSIDE = frozenset(identity.PROVINCES + identity.PLATE_TAILS + identity.PLATE_DOTS)


class HoldBack:
    """Masks a stream so that the output equals `mask(whole text)` for every chunking.

    Text is cut only behind a sign that stands in no value: a line break, a Chinese character, or a space
    after a small letter or a punctuation mark. A longer run is cut `WINDOW` characters before its end, where
    no candidate crosses. In prose this holds about one word; a PEM block is held until its last line.

    At `max_hold` characters (reached only by a chain of overlapping candidates that long) the held text is
    scanned as it is and emitted masked, up to the end of the values found; the result may then differ from
    the whole-text one in which of the overlapping values wins. A PEM block is held for at most PEM_LIMIT
    characters in any case.

    Args:
        scan: candidates of a text from a position on, as `personal.candidates`.
        max_hold: characters, at least twice WINDOW.

    Attributes:
        items: the values masked so far, at their place in the whole stream.
    """

    def __init__(self, scan: Scan = candidates, *, max_hold: int = 8192) -> None:
        if max_hold < 2 * WINDOW:
            raise ValueError(f"max_hold is {max_hold}; it must be at least {2 * WINDOW}")
        self._scan = scan
        self._max_hold = max_hold
        self._text = ""  # LEFT characters that are out already, then what is held
        self._base = 0  # where the held part begins in _text
        self._seen = 0  # no cut is possible up to here in _text
        self._offset = 0  # place of _text in the stream
        self.items: list[PersonalItem] = []

    @property
    def held(self) -> int:
        """Characters held now."""
        return len(self._text) - self._base

    def feed(self, chunk: str) -> str:
        """The masked text that is safe to emit after `chunk`."""
        self._text += chunk
        cut = self._safe_cut()
        if cut <= self._base and self.held >= 2 * WINDOW:
            cut = len(self._text) - WINDOW
        cut = self._before_pem(cut)
        if cut <= self._base and self.held < max(self._max_hold, PEM_LIMIT):
            return ""
        found = self._scan(self._text, self._base)
        for item in reversed(found):
            if item.start < cut < item.end:
                cut = item.start
        if cut <= self._base:
            if self.held < self._max_hold:
                return ""
            found = resolve(found)
            cut = max(
                [
                    len(self._text) - WINDOW,
                    *(item.end for item in found if item.start < len(self._text) - WINDOW),
                ]
            )
        return self._emit(cut, found)

    def finish(self) -> str:
        """The rest, masked; the automaton is then empty and may be fed again as a new stream."""
        out = self._emit(len(self._text), self._scan(self._text, self._base))
        self._text, self._base, self._seen = "", 0, 0
        return out

    def _safe_cut(self) -> int:
        """The last place behind a sign that is part of no value, or 0."""
        text = self._text
        for place in range(len(text) - _AHEAD, max(self._seen, self._base), -1):
            sign = text[place - 1]
            if sign == " ":
                before = flatten(text[place - 2 : place - 1]) if place > 1 else " "
                safe = not (before.isascii() and (before.isdigit() or before.isupper() or before == ")"))
            else:
                safe = not ("!" <= flatten(sign) <= "~" or sign in _INSIDE)
            if safe:
                return place
        self._seen = max(self._seen, len(text) - _AHEAD)
        return 0

    def _before_pem(self, cut: int) -> int:
        start = self._text.find(PEM_MARK, self._base)
        while 0 <= start < cut:
            if pem_open(self._text, start):
                return start
            start = self._text.find(PEM_MARK, start + 1)
        return cut

    def _emit(self, cut: int, found: list[PersonalItem]) -> str:
        chosen = resolve([item for item in found if item.end <= cut])
        shifted = [
            PersonalItem(item.kind, item.start - self._base, item.end - self._base, item.text, item.score)
            for item in chosen
        ]
        out, _ = mask(self._text[self._base : cut], shifted)
        self.items += [
            PersonalItem(item.kind, item.start + self._offset, item.end + self._offset, item.text, item.score)
            for item in chosen
        ]
        dropped = max(0, cut - LEFT)
        self._text = self._text[dropped:]
        self._base = cut - dropped
        self._offset += dropped
        self._seen = max(self._base, self._seen - dropped)
        return out
