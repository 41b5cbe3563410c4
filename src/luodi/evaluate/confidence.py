"""The confidence stage: how likely an answer is right, given what was found; fitted, and held against other questions.

Each section is asked about three times: by its own heading; with its heading taken out of the index, as by someone who
words it differently; and with the whole section taken away, when every answer is wrong.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from pydantic import BaseModel

from luodi.evaluate.calibration import auroc, control_risk, expected_calibration_error, fit_logistic, risk_curve
from luodi.evaluate.scoring import word_f1
from luodi.evaluate.statistics import share
from luodi.knowledge import INDEX, Hit, Index, extract
from luodi.knowledge.confidence import FILE, MORE, Confidence, features
from luodi.knowledge.glossary import Glossary
from luodi.knowledge.index import build
from luodi.knowledge.vectors import open_index, retitled
from luodi.pipeline import Context, Measurement, Row

_RIGHT_F1 = 0.5  # of the words of the section's opening: the same said in another section is right too
LEVEL = 0.9


class Params(BaseModel):
    """`risk`: share of wrong answers among those given that is allowed; `passages`: how many an answer is made from."""

    passages: int
    risk: float


@dataclass(frozen=True, slots=True)
class Probe:
    """What was found for a question, and whether the answer from it is right."""

    kind: str  # heading, reworded or absent
    values: list[float]
    right: bool


def run(ctx: Context) -> None:
    """Inputs: `probes`, `index`."""
    p: Params = ctx.params
    rows = ctx.rows("probes")
    index = open_index(ctx.inputs["index"])
    blind = blinded(index, ctx.inputs["index"], rows, ctx.state / "blind", ctx.store.folder("cache"), ctx.progress)
    probes: list[list[Probe]] = []
    for done, row in enumerate(rows):
        probes.append(probed(row, index, blind, p.passages))
        if done % 20 == 0:
            ctx.progress(done, len(rows))
    index.close()
    blind.close()
    random.Random(ctx.seed).shuffle(probes)
    made, tested = learn(probes, p.risk)
    ctx.write_json(FILE, made.as_dict())
    _measure(ctx, made, tested)


def blinded(
    index: Index,
    source: Path,
    rows: Sequence[Row],
    folder: Path,
    cache: Path,
    progress: Callable[[float, float, str], None] = lambda done, total, note: None,
) -> Index:
    """The index of `source`, made again in `folder` without the headings of the sections that are asked about."""
    asked = {(r.path, r.title) for r in rows}
    chunks = index.chunks(range(1, index.count() + 1))
    cut = [replace(c, title=c.title.rpartition(" › ")[0]) if (c.path, c.title) in asked else c for c in chunks.values()]
    folder.mkdir(parents=True, exist_ok=True)
    build(folder / INDEX, cut)
    Glossary.load(source).save(folder)
    changed = [c.id for c in chunks.values() if (c.path, c.title) in asked]
    retitled(source, folder, cut, changed, cache, progress)
    return open_index(folder)


def probed(row: Row, index: Index, blind: Index, passages: int) -> list[Probe]:
    """A section asked about three times."""
    question, own = row.meta["question"], (row.path, row.title)
    out = []
    for kind, searched in (("heading", index), ("reworded", blind)):
        hits = searched.search(question, passages + MORE)
        out.append(Probe(kind, features(searched, question, hits), _right(row, hits, searched, own)))
    found = index.search(question, passages + 20)
    same = frozenset(h.chunk.row_id for h in found if (h.chunk.path, h.chunk.title) == own) | {row.meta["section"]}
    hits = index.search(question, passages + MORE, without=same)
    out.append(Probe("absent", features(index, question, hits), _right(row, hits, index, None)))
    return out


def _right(row: Row, hits: Sequence[Hit], index: Index, own: tuple[str, str] | None) -> bool:
    """Whether the answer is from the section that was asked about or one below it, or says what it says."""
    if not hits:
        return False
    answer = extract(row.meta["question"], hits[:1])
    chunk = hits[0].chunk
    if own is not None and (
        chunk.row_id == row.meta["section"] or (chunk.path == own[0] and _below(chunk.title, own[1]))
    ):
        return True
    return word_f1(answer.text, row.meta["answer"]) >= _RIGHT_F1


def _below(title: str, own: str) -> bool:
    return title == own or title.startswith(f"{own} › ")


def learn(probes: Sequence[Sequence[Probe]], risk: float) -> tuple[Confidence, list[Probe]]:
    """Fitted on two fifths of the sections, thresholds chosen on two; the last fifth is returned for the test."""
    cuts = (len(probes) * 2 // 5, len(probes) * 4 // 5)
    fitted, chosen, tested = ([p for part in probes[a:b] for p in part] for a, b in
                              ((0, cuts[0]), cuts, (cuts[1], len(probes))))  # fmt: skip
    x = np.array([p.values for p in fitted], float)
    weights, bias = fit_logistic(x, np.array([p.right for p in fitted], float))
    first = Confidence(tuple(map(float, weights)), bias, 1.01, risk, LEVEL, {})
    stated = [first.probability(p.values) for p in chosen]
    threshold = control_risk(stated, [p.right for p in chosen], risk, LEVEL)
    p_test = np.array([first.probability(p.values) for p in tested])
    y_test = np.array([p.right for p in tested], float)
    about = {
        "n": len(tested),
        "right": float(y_test.mean()),
        "ece": expected_calibration_error(p_test, y_test),
        "brier": float(((p_test - y_test) ** 2).mean()),
        "auroc": auroc(p_test, y_test),
        "curve": [r.as_dict() for r in risk_curve(p_test, y_test, LEVEL)],
        "kinds": {kind: sum(p.kind == kind for p in tested) for kind in ("heading", "reworded", "absent")},
    }
    return replace(first, threshold=threshold, about=about), tested


def _measure(ctx: Context, made: Confidence, tested: Sequence[Probe]) -> None:
    n, about = len(tested), made.about
    given = [p for p in tested if made.probability(p.values) >= made.threshold]
    wrong = share([not p.right for p in given], LEVEL)
    answered = share([made.probability(p.values) >= made.threshold for p in tested])
    note = "heading, reworded and absent questions, a third each; sections that were not fitted to"
    ctx.measure(Measurement("confidence_ece", "fit", about["ece"], "share", n, "lower", note=note))
    ctx.measure(Measurement("confidence_brier", "fit", about["brier"], "score", n, "lower", note=note))
    ctx.measure(Measurement("confidence_auroc", "fit", about["auroc"], "share", n, "higher", note=note))
    ctx.measure(
        Measurement(
            "wrong_among_answered", "fit", wrong.value, "share", wrong.n, "lower", wrong.low, wrong.high,
            note=f"where at most {made.risk:.0%} is promised; {answered.value:.0%} of {n} questions were answered",
        )
    )  # fmt: skip
    ctx.summary = (
        f"ECE {about['ece']:.3f}, AUROC {about['auroc']:.3f} on {n} questions; at {made.risk:.0%} risk"
        f" {answered.value:.0%} answered, {wrong.value:.1%} of those wrong"
    )
