"""Masking on a stream: emit only text that no later chunk can turn into part of a value."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Protocol

from luodi.guard import identity
from luodi.guard.credential import PEM_MARK, pem_open
from luodi.guard.item import LEFT, PEM_LIMIT, WINDOW, PersonalItem, flatten
from luodi.guard.personal import Replace, candidates, mask, named, resolve

Scan = Callable[[str, int], list[PersonalItem]]

_AHEAD = 2  # a detector reads at most this many characters behind a value
_INSIDE = identity.PROVINCES + identity.PLATE_TAILS + identity.PLATE_DOTS
# Behind such a sign (in `flatten`ed text) no value goes on: one that no value holds, or a space that follows a small
# letter or a mark. A sign of a number before a space may be a part of one.
_END = re.compile(rf"[^ !-~{_INSIDE}]|(?<![0-9A-Z)]) ")
_BACK = 48  # characters that are looked through for such a place at once


class Finder(Protocol):
    """Values that need a whole sentence to be seen, as text comes; see `entities.Sentences`."""

    def feed(self, chunk: str) -> list[tuple[str, list[PersonalItem]]]:
        """Sentences that are complete now, with the values in each, at their place in the sentence."""
        ...

    def finish(self) -> list[tuple[str, list[PersonalItem]]]: ...


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
        replace: what stands for a value; its kind in brackets by default.
        finder: holds the open sentence back, too, and adds what it finds in each.

    Attributes:
        items: the values masked so far, at their place in the whole stream.
    """

    def __init__(
        self,
        scan: Scan = candidates,
        *,
        max_hold: int = 8192,
        replace: Replace = named,
        finder: Finder | None = None,
    ) -> None:
        if max_hold < 2 * WINDOW:
            raise ValueError(f"max_hold is {max_hold}; it must be at least {2 * WINDOW}")
        self._scan = scan
        self._max_hold = max_hold
        self._replace = replace
        self._finder = finder
        self._entities: list[PersonalItem] = []  # found by the finder and not out yet, at their place in _text
        self._text = ""  # LEFT characters that are out already, then what is held
        self._base = 0  # where the held part begins in _text
        self._seen = 0  # no cut is possible up to here in _text
        self._offset = 0  # place of _text in the stream
        self._pem = -1  # where a PEM head may begin in _text, or -1
        self.items: list[PersonalItem] = []

    @property
    def held(self) -> int:
        """Characters held now, without the open sentence of a finder."""
        return len(self._text) - self._base

    def feed(self, chunk: str) -> str:
        """The masked text that is safe to emit after `chunk`."""
        if self._finder is None:
            return self._feed(chunk)
        return "".join([self._sentence(*closed) for closed in self._finder.feed(chunk)])

    def finish(self) -> str:
        """The rest, masked; the automaton is then empty and may be fed again as a new stream."""
        out = "" if self._finder is None else "".join([self._sentence(*rest) for rest in self._finder.finish()])
        out += self._emit(len(self._text), self._found())
        self._text, self._base, self._seen, self._pem = "", 0, 0, -1
        return out

    def _sentence(self, text: str, found: list[PersonalItem]) -> str:
        at = len(self._text)
        self._entities += [item.moved(at) for item in found]
        return self._feed(text)

    def _feed(self, chunk: str) -> str:
        self._text += chunk
        if self._pem < 0:
            self._pem = self._text.find(PEM_MARK, max(self._base, len(self._text) - len(chunk) - len(PEM_MARK)))
        cut = self._safe_cut()
        if cut <= self._base and self.held >= 2 * WINDOW:
            cut = len(self._text) - WINDOW
        if self._pem >= 0:
            cut = self._before_pem(cut)
        if cut <= self._base and self.held < max(self._max_hold, PEM_LIMIT):
            return ""
        found = self._found()
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

    def _found(self) -> list[PersonalItem]:
        found = self._scan(self._text, self._base)
        if self._entities:
            found = sorted([*found, *self._entities], key=lambda item: (item.start, item.end, item.kind))
        return found

    def _safe_cut(self) -> int:
        """The last place behind a sign that ends every value, or 0."""
        text, stop = self._text, len(self._text) - _AHEAD
        first = max(self._seen, self._base)
        while stop > first:
            start = max(first, stop - _BACK)
            piece = flatten(text[max(0, start - 1) : stop])
            skip = start - max(0, start - 1)
            last = 0
            for found in _END.finditer(piece, skip):
                last = found.end()
            if last:
                return start - skip + last
            stop = start
        self._seen = max(self._seen, len(text) - _AHEAD)
        return 0

    def _before_pem(self, cut: int) -> int:
        start = self._text.find(PEM_MARK, max(self._base, self._pem))
        while 0 <= start < cut:
            if pem_open(self._text, start):
                self._pem = start
                return start
            start = self._text.find(PEM_MARK, start + 1)
        self._pem = start
        return cut

    def _emit(self, cut: int, found: list[PersonalItem]) -> str:
        base, out = self._base, self._text[self._base : cut]
        if found:
            chosen = resolve([item for item in found if item.end <= cut])
            shifted = [item.moved(-base) for item in chosen]
            out, _ = mask(out, shifted, self._replace)
            self.items += [item.moved(self._offset) for item in chosen]
        dropped = max(0, cut - LEFT)
        if self._entities:
            self._entities = [item.moved(-dropped) for item in self._entities if item.end > cut]
        self._text = self._text[dropped:]
        self._base = cut - dropped
        self._offset += dropped
        self._seen = max(self._base, self._seen - dropped)
        if self._pem >= 0:
            self._pem = self._text.find(PEM_MARK, self._base)
        return out
