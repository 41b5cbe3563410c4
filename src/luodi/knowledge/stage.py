"""The index stage: sections to a searchable index."""

from __future__ import annotations

from pydantic import BaseModel

from luodi.knowledge.chunks import Chunk, chunk_section
from luodi.knowledge.glossary import Glossary
from luodi.knowledge.index import INDEX, Original, build
from luodi.pipeline import Context


class Params(BaseModel):
    """`sources` in the project's order; `words` is the size of a chunk; `embedder` "none" or one of `open_embedder`."""

    sources: list[str]
    words: int = 70
    embedder: str = "none"
    glossary: list[list[str]] = []


def run(ctx: Context) -> None:
    """Inputs: `rows` (sections), `originals` (documents as they may be shown)."""
    rank = {source: n for n, source in enumerate(ctx.params.sources)}
    rows = ctx.rows()
    shown = ctx.rows("originals") if "originals" in ctx.inputs else []
    documents = {(d.source, d.path): d for d in shown}
    chunks: list[Chunk] = []
    for done, row in enumerate(rows, 1):
        document = documents.get((row.source, row.path))
        original = document.text if document else ""
        chunks += chunk_section(row, rank=rank.get(row.source, len(rank)), words=ctx.params.words, original=original)
        if done % 500 == 0:
            ctx.progress(done, len(rows), "cutting")
    originals = (
        Original(d.source, d.path, d.text, *(str(d.meta.get(name, "")) for name in ("digest", "title", "date")))
        for d in documents.values()
    )
    count = build(ctx.out / INDEX, chunks, originals)
    if ctx.params.glossary:
        Glossary(ctx.params.glossary).save(ctx.out)
    ctx.summary = f"{count:,} chunks of {len(rows):,} sections"
    if ctx.params.embedder != "none":
        from luodi.engine.embed import open_embedder
        from luodi.knowledge.vectors import KEPT, build_vectors, passage

        made = build_vectors(
            ctx.out,
            [passage(chunk) for chunk in chunks],
            open_embedder(ctx.params.embedder),
            ctx.store.folder("cache") / KEPT,
            lambda done, total: ctx.progress(done, total, "embedding"),
        )
        ctx.summary += f", {made:,} of {count:,} vectors made anew"
