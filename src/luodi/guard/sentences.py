"""Where a sentence ends, decided as text comes: the same places for every chunking."""

from __future__ import annotations

import re

LONGEST = 400  # characters; a longer sentence is cut, at a space or a comma if there is one in its last half

# behind the sign; a full stop ends a sentence before a blank, and not behind a title or an initial
_END = re.compile(
    r"[。！？!?；\n]|(?<=[a-z0-9)\]'\"][a-z0-9)\]'\"])(?<!\b[Mm]rs)(?<!\b[Pp]rof)(?<!\b[Ss]t)(?<!\b[mM][rs])(?<!\bdr)\.(?=\s)"
)
_BREAK = re.compile(r"[ ,，、;：]")


class Splitter:
    """Gives sentences out when they are complete, each with the sign that ends it and what precedes it."""

    def __init__(self) -> None:
        self._open = ""
        self._looked = 0

    def feed(self, chunk: str) -> list[str]:
        """Sentences that `chunk` completes."""
        self._open += chunk
        out = []
        begin = 0
        while True:
            found = _END.search(self._open, max(begin, self._looked), begin + LONGEST + 1)
            if found and found.end() - begin <= LONGEST:
                end = found.end()
            elif len(self._open) - begin > LONGEST:
                places = [at.end() for at in _BREAK.finditer(self._open, begin + LONGEST // 2, begin + LONGEST)]
                end = places[-1] if places else begin + LONGEST
            else:
                break
            out.append(self._open[begin:end])
            begin = self._looked = end
        self._open = self._open[begin:]
        self._looked = max(0, len(self._open) - 8)  # a title and a full stop may still be followed by a blank
        return out

    def finish(self) -> list[str]:
        """What is left, as a sentence; the splitter is then empty."""
        rest, self._open, self._looked = self._open, "", 0
        return [rest] if rest else []
