"""The confidence stage, from sections to a fitted file that promises what it keeps."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np

from luodi.data import probes
from luodi.evaluate import confidence
from luodi.evaluate.confidence import Probe, learn
from luodi.knowledge import stage as index_stage
from luodi.knowledge.confidence import FEATURES, Confidence
from luodi.pipeline import Context, Row, Runner, Stage, read_measurements, read_rows
from luodi.store import Store

THINGS = ["lamp", "chair", "kettle", "bicycle", "tent", "violin", "printer", "jacket", "ladder", "camera"]
ASPECTS = ["warranty", "delivery", "repair", "colours", "weight", "assembly"]


def sections(ctx: Context) -> None:
    rng = random.Random(4)
    rows = []
    for thing in THINGS:
        for aspect in ASPECTS:
            days = rng.randrange(2, 90)
            text = f"The {aspect} of every {thing} is settled within {days} days of the order by our own people."
            block = {"kind": "paragraph", "text": text, "start": 0, "end": len(text), "line": 1}
            rows.append(
                Row(f"{thing}-{aspect}", "section", text, "file:docs", f"{thing}.md",
                    f"{thing.capitalize()} › {aspect.capitalize()} of the {thing}", meta={"blocks": [block], "gold": False})
            )  # fmt: skip
    ctx.write_rows(rows)


def test_stage(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    stages = [
        Stage("sections", sections, {}),
        Stage("index", index_stage.run, index_stage.Params(sources=["file:docs"]), {"rows": "sections"}),
        Stage("probes", probes.run, probes.Params(limit=50), {"rows": "sections"}),
        Stage(
            "confidence",
            confidence.run,
            confidence.Params(passages=3, risk=0.2),
            {"probes": "probes", "index": "index"},
        ),
    ]
    done = Runner(store, stages, project=tmp_path, seed=1).run()
    asked = read_rows(store.artifacts.get(done["probes"].output).files)
    assert len(asked) == 50 and len({r.meta["question"] for r in asked}) == 50
    files = store.artifacts.get(done["confidence"].output).files
    made = Confidence.read(json.loads((files / "confidence.json").read_text()))
    assert made is not None and made.about["n"] == 30
    assert made.about["kinds"] == {"heading": 10, "reworded": 10, "absent": 10}
    measured = {m.name: m for m in read_measurements(files)}
    assert set(measured) == {"confidence_ece", "confidence_brier", "confidence_auroc", "wrong_among_answered"}
    assert measured["confidence_auroc"].value > 0.7  # what is there is told from what is not


def made_up(n: int, seed: int) -> list[list[Probe]]:
    """Sections whose first feature alone says how likely an answer is right."""
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(n):
        part = []
        for kind in ("heading", "reworded", "absent"):
            x = rng.normal(1.0 if kind == "heading" else 0.0)
            right = bool(rng.random() < 1 / (1 + np.exp(-3 * x)))
            part.append(Probe(kind, [float(x), *[0.0] * (len(FEATURES) - 1)], right))
        out.append(part)
    return out


def test_learn_is_calibrated_and_keeps_the_promise() -> None:
    fitted, tested = learn(made_up(2500, 5), 0.1)
    assert fitted.about["ece"] < 0.05 and len(tested) == 1500
    given = [p for p in tested if fitted.probability(p.values) >= fitted.threshold]
    assert len(given) > 200 and sum(not p.right for p in given) / len(given) <= 0.12


def test_a_heading_that_several_sections_have_is_not_asked_for(tmp_path: Path) -> None:
    def twice(ctx: Context) -> None:
        text = "A sentence that is long enough to be the answer of a section."
        block = {"kind": "paragraph", "text": text, "start": 0, "end": len(text), "line": 1}
        titles = ["A › Setting things up", "B › Setting things up", "C › Sending parcels back"]
        ctx.write_rows(
            [Row(f"r{n}", "section", text, "s", f"{n}.md", t, meta={"blocks": [block]}) for n, t in enumerate(titles)]
        )

    store = Store(tmp_path / "store")
    stages = [Stage("sections", twice, {}), Stage("probes", probes.run, probes.Params(), {"rows": "sections"})]
    done = Runner(store, stages, project=tmp_path, seed=1).run()
    assert [r.meta["section"] for r in read_rows(store.artifacts.get(done["probes"].output).files)] == ["r2"]
