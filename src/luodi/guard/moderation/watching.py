"""Words on a stream: what could still become one is held back, so that none passes split over chunks."""

from __future__ import annotations

from collections.abc import Callable

from luodi.guard.moderation.automaton import _HOLD, Match, Words, clusters

Replace = Callable[[list[Match]], "str | None"]


class WordWatch:
    """Text goes through it; what is let out, and the matches, are those of the whole text for every chunking.

    At 4,096 held characters (a chain of overlapping words that long) what is held is let out as it is judged then.

    Args:
        replace: what stands for words that overlap; None leaves them.

    Attributes:
        matches: found so far, at their place in the whole stream.
    """

    def __init__(self, words: Words, replace: Replace) -> None:
        self._words = words
        self._replace = replace
        self._text = ""
        self._before = ""
        self._offset = 0
        self.matches: list[Match] = []

    def feed(self, piece: str) -> str:
        self._text += piece
        text = self._text
        cut = self._words.open_at(text)
        if cut == len(text) and cut and text[-1].isalnum() and text[-1].isascii():
            # a Latin word ends only where the next sign is none
            while cut and text[cut - 1].isascii() and text[cut - 1].isalnum():
                cut -= 1
        if len(text) - cut > _HOLD:
            cut = len(text)
        return self._emit(cut, last=False) if cut else ""

    def finish(self) -> str:
        return self._emit(len(self._text), last=True)

    def _emit(self, cut: int, *, last: bool) -> str:
        text = self._text
        found = self._words.find(text, before=self._before, last=last)
        groups = list(clusters(found))
        for start, end, _ in groups:
            if start < cut < end and len(text) - start <= _HOLD:
                cut = start
        out: list[str] = []
        done = 0
        for start, end, group in groups:
            if end > cut:
                break
            said = self._replace(group)
            if said is not None:
                out += (text[done:start], said)
                done = end
            self.matches += [Match(m.start + self._offset, m.end + self._offset, m.category) for m in group]
        out.append(text[done:cut])
        if cut:
            self._before = text[cut - 1]
        self._text = text[cut:]
        self._offset += cut
        return "".join(out)
