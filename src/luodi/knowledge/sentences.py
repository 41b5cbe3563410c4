"""Where the sentences of a clean text begin and end: English and Chinese, rules only, no model."""

from __future__ import annotations

import re

_CLOSERS = "\"'”’」』）】》〉)\\]}»"
_END = re.compile(
    rf"[。！？；]+[{_CLOSERS}]*"
    rf"|[.!?…]+[{_CLOSERS}]*(?=\s|$|[\u3000-\u9fff])"
    r"|[\n\r\v\f\x85\u2028\u2029]+"
)
_WORD_BEFORE = re.compile(r"[\w.]*\Z")
_NEXT = re.compile(r"\s*([\"'“‘(\[]*)(\S?)")
_MARKER = re.compile(r"\s*\(?(?:\d{1,4}|#|[A-Za-z])\Z")
_NEVER_LAST = frozenset(
    ["e.g", "i.e", "vs", "cf", "viz", "mr", "mrs", "ms", "dr", "prof", "st", "approx", "incl", "resp", "ca"]
)
_SOMETIMES_LAST = frozenset(["etc", "al", "inc", "ltd", "co", "corp", "jr", "sr", "a.m", "p.m", "u.s", "u.k", "est"])
_BEFORE_NUMBER = frozenset(["no", "nos", "fig", "figs", "eq", "sec", "ch", "vol", "pp", "p", "art", "ver"])
_WINDOW = 40  # characters looked back for the word that a full stop belongs to


def sentences(text: str) -> list[tuple[int, int]]:
    """Spans (start, end) of the sentences, in characters of `text`.

    In order, not overlapping, without space at either end; together they hold every character that is not
    space. A line break ends a sentence and so do 。！？；. A full stop, `!` or `?` does before space, except
    after an abbreviation, an initial or the number of a list item.
    """
    spans: list[tuple[int, int]] = []
    start = 0
    for match in _END.finditer(text):
        if match[0][0] in ".!?…" and not _ends(text, start, match):
            continue
        _add(spans, text, start, match.end())
        start = match.end()
    _add(spans, text, start, len(text))
    return spans


def _add(spans: list[tuple[int, int]], text: str, start: int, end: int) -> None:
    piece = text[start:end]
    if stripped := piece.strip():
        start += len(piece) - len(piece.lstrip())
        spans.append((start, start + len(stripped)))


def _ends(text: str, start: int, match: re.Match[str]) -> bool:
    """Whether this English mark closes the sentence that began at `start`."""
    following = _NEXT.match(text, match.end())
    after = following[2] if following else ""
    if not after:
        return True
    if match[0] != ".":
        # '"What?" he asked', "wait... then": the sentence goes on in small letters
        return not (after.islower() and (len(match[0]) > 1 or match[0] == "…"))
    if match.start() - start <= _WINDOW and _MARKER.match(text[start : match.start()]):
        return False
    before = _WORD_BEFORE.search(text[max(start, match.start() - _WINDOW) : match.start()])
    word = before[0].lower() if before else ""
    if word in _NEVER_LAST:
        return False
    if word in _SOMETIMES_LAST:
        return not (after.islower() or after.isdigit())
    if word in _BEFORE_NUMBER:
        return not after.isdigit()
    initial = before is not None and len(word) == 1 and before[0].isupper()
    return not (initial and word != "i" and after.isupper())
