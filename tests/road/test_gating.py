from __future__ import annotations

import base64
import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from luodi.errors import IntegrityError
from luodi.evaluate import thresholds
from luodi.evaluate.items import items_of, keep, read_items
from luodi.pipeline import Context, Measurement, Runner, Stage
from luodi.road import gating
from luodi.road.gating import VERDICTS, Live
from luodi.store import Store

GATE = {"measure": "answer_f1", "at_least": 0.5}


class Scores(BaseModel):
    scores: list[float]


def measure(ctx: Context) -> None:
    scores = ctx.params.scores
    value, n = sum(scores) / len(scores), len(scores)
    ctx.measure(Measurement("answer_f1", "fit", value, "share", n, "higher", value - 0.1, value + 0.1))
    keep(ctx.out, {"answer_f1": items_of(map(str, range(n)), scores)})


def edited(ctx: Context) -> None:
    """The thresholds stage, and someone who lowers a bound after it was signed."""
    thresholds.run(ctx)
    path = ctx.out / thresholds.FILE
    path.write_text(path.read_text().replace("0.5", "0.1"))


def stages(signed: dict[str, Any], scores: list[float] | None = None, run: Any = None) -> list[Stage]:
    params = thresholds.Params.model_validate({"gates": [GATE]} | signed)
    inputs = {"thresholds": "thresholds"}
    measured = [Stage("answers", measure, Scores(scores=scores), inputs)] if scores else []
    return [
        Stage("thresholds", run or thresholds.run, params), *measured,
        Stage("gates", "luodi.road.gating:run", {"name": "desk"}, inputs | ({"answers": "answers"} if scores else {})),
    ]  # fmt: skip


def judged(store: Store, project: Path, *args: Any) -> dict[str, Any]:
    done = Runner(store, stages(*args), project=project, seed=1).run()
    folder = store.artifacts.get(done["gates"].output).files
    found: dict[str, Any] = json.loads((folder / VERDICTS).read_bytes())
    assert set(read_items(folder)) == ({"answer_f1"} if len(args) > 1 and args[1] else set())
    return found


def test_a_gate_without_a_measurement_blocks(store: Store, tmp_path: Path) -> None:
    assert judged(store, tmp_path, {})["verdict"] == "block"


def test_items_decide_with_both_verdicts(store: Store, tmp_path: Path) -> None:
    gate = judged(store, tmp_path, {"gates": [{"measure": "answer_f1", "at_least": 0.9}]}, [1.0] * 915 + [0.0] * 85)
    (found,) = gate["gates"]
    assert (found["verdict"], found["meets_value"], found["confident"], found["how"]) == (
        "need more", True, False, "items",
    )  # fmt: skip
    assert found["needed"] > 1000 and "about" in found["reason"]


def test_thresholds_that_were_edited_judge_nothing(store: Store, tmp_path: Path) -> None:
    """An artifact whose digest is right, but whose bound is not the one that was signed."""
    with pytest.raises(IntegrityError, match="the thresholds: the signature does not match"):
        Runner(store, stages({}, [0.4] * 50, edited), project=tmp_path, seed=1).run()


def test_the_witness_must_have_seen_them(store: Store, tmp_path: Path) -> None:
    """Who holds the key edits the bound and signs it anew with the old time; the witness was told another."""
    witness = tmp_path / "witness.txt"

    def signed_again(ctx: Context) -> None:
        thresholds.run(ctx)
        path = ctx.out / thresholds.FILE
        found = json.loads(path.read_bytes())
        found["gates"][0]["at_least"] = 0.1
        signed = {name: found[name] for name in thresholds.SIGNED}
        found["signature"] = ctx.store.keys.sign(thresholds.canonical_json(signed)).as_dict()
        path.write_text(json.dumps(found))

    for target in ("", f"file:{witness}"):
        with pytest.raises(IntegrityError, match="has not seen these thresholds"):
            Runner(store, stages({"witness": target}, [0.4] * 50, signed_again), project=tmp_path, seed=1).run()
    assert witness.read_text().startswith("luodi thresholds\n")
    honest = judged(store, tmp_path, {"witness": f"file:{witness}"}, [0.9] * 50)
    assert honest["thresholds"]["witness"] == {"target": f"file:{witness}", "answer": "", "problem": ""}
    witness.unlink()
    with pytest.raises(IntegrityError, match="gone"):
        thresholds.check(honest["thresholds"], store)


def test_a_witness_that_is_not_reached_is_told_of(store: Store, tmp_path: Path) -> None:
    found = judged(store, tmp_path, {"witness": "https://127.0.0.1:9/none"}, [0.9] * 50)
    witness = found["thresholds"]["witness"]
    assert witness["target"] == "store:thresholds-witness.txt" and "was not reached" in witness["problem"]
    assert found["verdict"] == "pass"


def test_a_time_stamp_of_something_else(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    signed = judged(store, tmp_path, {}, [0.9] * 50)["thresholds"]
    stamped = {"target": "rfc3161:https://tsa", "answer": base64.b64encode(b"reply").decode(), "problem": ""}
    monkeypatch.setattr(thresholds, "stamped_at", lambda answer, note: asked.append(note))
    thresholds.check(signed | {"witness": stamped}, store)
    assert asked == [thresholds.note_of(signed)]
    monkeypatch.undo()
    with pytest.raises(IntegrityError, match="no time stamp"):
        thresholds.check(signed | {"witness": stamped}, store)


def waiver(days: int) -> dict[str, Any]:
    return {
        "measure": "answer_f1", "role": "head of safety", "person": "Li Wei", "reason": "pilot with ten users",
        "expires": (date.today() + timedelta(days)).isoformat(),
    }  # fmt: skip


def test_a_waiver_lets_through_and_is_shown(store: Store, tmp_path: Path) -> None:
    found = judged(store, tmp_path, {"waivers": [waiver(0)]}, [0.4] * 50)
    assert found["verdict"] == "pass" and found["gates"][0]["verdict"] == "block"
    assert found["gates"][0]["waiver"]["person"] == "Li Wei"
    missing = judged(store, tmp_path, {"waivers": [waiver(1)]})
    assert missing["verdict"] == "pass" and "not measured" in missing["gates"][0]["reason"]
    assert missing["gates"][0]["waiver"] is not None


def test_a_waiver_that_has_expired_does_not_count(store: Store, tmp_path: Path) -> None:
    found = judged(store, tmp_path, {"waivers": [waiver(-1)]}, [0.4] * 50)
    assert found["verdict"] == "block" and found["gates"][0]["waiver"] is None
    assert "the waiver of Li Wei ended on" in found["gates"][0]["reason"]


def test_pairs_with_the_live_release(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scores = [float(n % 5 > 0) for n in range(1000)]
    measured = Measurement("answer_f1", "fit", 0.8, "share", 1000, "higher", 0.77, 0.82).as_dict()
    live = Live("desk@1", [measured], {"answer_f1": items_of(map(str, range(1000)), scores)})
    monkeypatch.setattr(gating, "find_live", lambda name, store: live)
    gate = {"gates": [{"measure": "answer_f1", "margin": 0.02}]}
    worse = [s if n > 50 else 0.0 for n, s in enumerate(scores)]
    assert judged(store, tmp_path, gate, scores)["gates"][0]["how"] == "pairs"
    found = judged(store, tmp_path, gate, worse)["gates"][0]
    assert found["verdict"] == "block" and found["reason"].startswith("worse than live: -0.04")
    left_out = judged(store, tmp_path, gate, scores[:900])["gates"][0]
    assert left_out["verdict"] == "block" and "100 of its 1,000 items were not measured again" in left_out["reason"]
