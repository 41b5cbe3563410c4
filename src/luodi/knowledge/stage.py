"""The index stage: sections to a searchable index."""

from __future__ import annotations

from pydantic import BaseModel

from luodi.knowledge.chunks import Chunk, chunk_section
from luodi.knowledge.index import INDEX, build
from luodi.pipeline import Context


class Params(BaseModel):
    """`sources` in the project's order; `words` is the size of a chunk."""

    sources: list[str]
    words: int = 70


def run(ctx: Context) -> None:
    """Inputs: `rows` (sections)."""
    rank = {source: n for n, source in enumerate(ctx.params.sources)}
    rows = ctx.rows()
    chunks: list[Chunk] = []
    for done, row in enumerate(rows, 1):
        chunks += chunk_section(row, rank=rank.get(row.source, len(rank)), words=ctx.params.words)
        if done % 500 == 0:
            ctx.progress(done, len(rows))
    count = build(ctx.out / INDEX, chunks)
    ctx.summary = f"{count:,} chunks of {len(rows):,} sections"
