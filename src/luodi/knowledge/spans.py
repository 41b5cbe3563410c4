"""From the clean text of a block back to its place in the original: where each sentence stands, sign for sign.

Cleaning takes marks out, joins lines and squeezes space, so that the words of a clean text stand in the original in the
same order. They are found one after the other; a word that cleaning made or changed is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from luodi.knowledge.sentences import sentences

_TOKEN = re.compile(r"[㐀-鿿豈-﫿]|[^\W㐀-鿿豈-﫿]+|[^\w\s]")
# Signs of the original in which the next word, and the next mark, is looked for: a mark stands everywhere.
_AHEAD, _MARK_AHEAD = 120, 8
_CLOSERS = "\"'”’」』）】》〉)]}»"

Span = tuple[int, int]


def align(clean: str, raw: str) -> list[tuple[int, int, int, int]]:
    """(start, end) in `clean` and (start, end) in `raw` of the words that are in both, in order. Linear."""
    found = []
    at = 0
    for token in _TOKEN.finditer(clean):
        word = token[0]
        if raw.startswith(word, at + 1) and raw[at].isspace():  # the next word, as nearly all are
            place = at + 1
            if not _inside(raw, place + len(word)) or not word[0].isalnum():
                found.append((token.start(), token.end(), place, place + len(word)))
                at = place + len(word)
                continue
        ahead = _AHEAD if word[0].isalnum() else _MARK_AHEAD
        place = _find(raw, word, at, at + ahead + len(word))
        if place >= 0:
            found.append((token.start(), token.end(), place, place + len(word)))
            at = place + len(word)
    return found


def _find(raw: str, word: str, at: int, end: int) -> int:
    """Where `word` stands by itself, not inside a longer one; -1 if nowhere."""
    place = raw.find(word, at, end)
    if word[0].isascii() and word[0].isalnum():
        while place >= 0 and (_inside(raw, place - 1) or _inside(raw, place + len(word))):
            place = raw.find(word, place + 1, end)
    return place


def _inside(raw: str, at: int) -> bool:
    return 0 <= at < len(raw) and raw[at].isascii() and raw[at].isalnum()


def sentence_spans(clean: str, raw: str, start: int) -> list[tuple[Span, Span]]:
    """Each sentence of `clean`: its span there, and in the original, where `raw` begins at `start`.

    A sentence of which no word is found in the original is given all of `raw`.
    """
    words = align(clean, raw)
    spans: list[tuple[Span, Span]] = []
    at = 0
    for begin, end in sentences(clean):
        while at < len(words) and words[at][0] < begin:
            at += 1
        first = at
        while at < len(words) and words[at][1] <= end:
            at += 1
        if not any(clean[word[0]].isalnum() for word in words[first:at]):
            spans.append(((begin, end), (start, start + len(raw))))
            continue
        low, high = words[first][2], words[at - 1][3]
        while high < len(raw) and raw[high] in _CLOSERS and clean[end - 1] in _CLOSERS:
            high += 1
        spans.append(((begin, end), (start + low, start + high)))
    return spans


def cover(spans: Sequence[tuple[Span, Span]], start: int, end: int) -> Span | None:
    """The span in the original of the sentences that touch [start, end) of the clean text; None if none does."""
    touched = [there for here, there in spans if here[0] < end and here[1] > start]
    return (min(s for s, _ in touched), max(e for _, e in touched)) if touched else None
