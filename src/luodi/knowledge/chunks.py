"""Chunks: what is indexed, retrieved and cited. A chunk is a run of whole blocks or sentences of one section."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from luodi.knowledge.sentences import sentences
from luodi.knowledge.words import count_chinese
from luodi.pipeline import Row


@dataclass(frozen=True, slots=True)
class Chunk:
    """`start` and `end` are character offsets in the original document; `line` counts from 1."""

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


def chunk_section(row: Row, *, rank: int, words: int) -> Iterator[Chunk]:
    """Chunks of about `words` words. Code is not indexed as answer text; its place is kept by the spans."""
    pieces: list[tuple[str, int, int, int]] = []
    size = 0
    for block in row.meta["blocks"]:
        if block["kind"] == "code":
            continue
        for text in _pieces(block["text"], words):
            count = _count(text)
            if pieces and size + count > words:
                yield _chunk(row, rank, pieces)
                pieces, size = [], 0
            pieces.append((text, block["start"], block["end"], block["line"]))
            size += count
    if pieces:
        yield _chunk(row, rank, pieces)


def _count(text: str) -> int:
    """Words; Chinese sets none apart, so there two characters are taken as one."""
    chinese = count_chinese(text)
    return len(text.split()) if not chinese else chinese // 2 + len(re.findall(r"[a-zA-Z0-9_]+", text))


def _pieces(text: str, words: int) -> Iterator[str]:
    """A block whole if it is short enough, or else in runs of sentences."""
    if _count(text) <= words and len(text) <= words * 8:
        yield text
        return
    run, size = "", 0
    for start, end in sentences(text):
        sentence = text[start:end]
        count = _count(sentence)
        if run and size + count > words:
            yield run
            run, size = "", 0
        run = f"{run} {sentence}".strip()
        size += count
    if run:
        yield run


def _chunk(row: Row, rank: int, pieces: list[tuple[str, int, int, int]]) -> Chunk:
    return Chunk(
        id=0,
        row_id=row.id,
        source=row.source,
        rank=rank,
        path=row.path,
        title=row.title,
        text="\n".join(p[0] for p in pieces),
        start=min(p[1] for p in pieces),
        end=max(p[2] for p in pieces),
        line=pieces[0][3],
    )
