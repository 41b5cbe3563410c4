from __future__ import annotations

import json
from pathlib import Path

import pytest

from luodi.errors import IntegrityError
from luodi.evaluate import thresholds
from luodi.pipeline import Runner, Stage
from luodi.road.gating import VERDICTS
from luodi.store import Store

STAGES = [
    Stage("thresholds", "luodi.evaluate.thresholds:run", {"gates": [{"measure": "answer_f1", "at_least": 0.5}]}),
    Stage("gates", "luodi.road.gating:run", {"name": "desk"}, {"thresholds": "thresholds"}),
]


def test_a_gate_without_a_measurement_blocks(store: Store, tmp_path: Path) -> None:
    done = Runner(store, STAGES, project=tmp_path, seed=1).run()
    verdicts = json.loads((store.artifacts.get(done["gates"].output).files / VERDICTS).read_bytes())
    assert verdicts["verdict"] == "block"


def test_thresholds_that_were_not_signed_as_they_are_judge_nothing(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An artifact whose digest is right, but whose bound is not the one that was signed."""
    honest = thresholds.canonical_json
    monkeypatch.setattr(thresholds, "canonical_json", lambda value: honest(value | {"time": "another"}))
    with pytest.raises(IntegrityError, match="does not match"):
        Runner(store, STAGES, project=tmp_path, seed=1).run()
