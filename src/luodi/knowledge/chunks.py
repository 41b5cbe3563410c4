"""Chunks: what is indexed, retrieved and cited. A chunk is a run of whole sentences of one section."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from luodi.knowledge.spans import Span, cover, sentence_spans
from luodi.knowledge.words import count_chinese
from luodi.pipeline import Row

Spans = tuple[tuple[Span, Span], ...]


@dataclass(frozen=True, slots=True)
class Chunk:
    """`start` and `end` are character offsets in the original document; `line` counts from 1.

    Attributes:
        spans: each sentence: its place in `text`, and in the original.
        unit, at: where in the file it stands, if the file has pages, slides or rows: "page", "12".
    """

    id: int
    row_id: str
    source: str
    rank: int  # place of the source in the project file: an earlier source supersedes a later one
    path: str
    title: str
    text: str
    start: int
    end: int
    line: int
    spans: Spans = ()
    unit: str = ""
    at: str = ""

    def place(self, start: int, end: int) -> Span:
        """The span in the original of the sentences that touch `text[start:end]`."""
        return cover(self.spans, start, end) or (self.start, self.end)


@dataclass(frozen=True, slots=True)
class _Piece:
    text: str
    spans: Spans
    line: int
    unit: str
    at: str


def chunk_section(row: Row, *, rank: int, words: int, original: str = "") -> Iterator[Chunk]:
    """Chunks of about `words` words. Code is not indexed as answer text; its place is kept by the spans.

    `original` is the document's text, in which each sentence is found again; without it a sentence's place is that of
    its block.
    """
    run: list[_Piece] = []
    size = 0
    for block in row.meta["blocks"]:
        if block["kind"] == "code":
            continue
        for piece in _pieces(block, original, words):
            count = _count(piece.text)
            if run and size + count > words:
                yield _chunk(row, rank, run)
                run, size = [], 0
            run.append(piece)
            size += count
    if run:
        yield _chunk(row, rank, run)


def _count(text: str) -> int:
    """Words; Chinese sets none apart, so there two characters are taken as one."""
    chinese = count_chinese(text)
    return len(text.split()) if not chinese else chinese // 2 + len(re.findall(r"[a-zA-Z0-9_]+", text))


def _pieces(block: dict[str, Any], original: str, words: int) -> Iterator[_Piece]:
    """A block whole if it is short enough, or else in runs of sentences."""
    text, start, end, line = block["text"], block["start"], block["end"], block["line"]
    unit, at = block.get("place") or ("", "")
    if original:
        spans = sentence_spans(text, original[start:end], start)
    else:
        spans = [(here, (start, end)) for here, _ in sentence_spans(text, "", start)]
    if (_count(text) <= words and len(text) <= words * 8) or not spans:
        yield _Piece(text, tuple(spans), line, unit, at)
        return
    run: list[tuple[str, Span]] = []
    size = 0
    for (begin, stop), there in spans:
        sentence = text[begin:stop]
        count = _count(sentence)
        if run and size + count > words:
            yield _joined(run, line, unit, at)
            run, size = [], 0
        run.append((sentence, there))
        size += count
    yield _joined(run, line, unit, at)


def _joined(run: list[tuple[str, Span]], line: int, unit: str, at: str) -> _Piece:
    text, spans = "", []
    for sentence, there in run:
        text += " " if text else ""
        spans.append(((len(text), len(text) + len(sentence)), there))
        text += sentence
    return _Piece(text, tuple(spans), line, unit, at)


def _chunk(row: Row, rank: int, run: list[_Piece]) -> Chunk:
    text, spans = "", []
    for piece in run:
        text += "\n" if text else ""
        spans += [((s + len(text), e + len(text)), there) for (s, e), there in piece.spans]
        text += piece.text
    places = [there for _, there in spans] or [(row.start, row.end)]
    return Chunk(
        id=0,
        row_id=row.id,
        source=row.source,
        rank=rank,
        path=row.path,
        title=row.title,
        text=text,
        start=min(start for start, _ in places),
        end=max(end for _, end in places),
        line=run[0].line,
        spans=tuple(spans),
        unit=run[0].unit,
        at=run[0].at,
    )
