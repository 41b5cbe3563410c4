"""The gates stage: every measurement of the run against the signed thresholds."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel

from luodi.evaluate.gates import judge, overall
from luodi.evaluate.thresholds import FILE
from luodi.pipeline import Context, Measurement, read_measurements
from luodi.project import Gate

VERDICTS = "verdicts.json"


class Params(BaseModel):
    """The name under which the live release is looked up."""

    name: str


def stage(find_live: Callable[[], tuple[str, list[dict[str, Any]]]]) -> Callable[[Context], None]:
    """The stage's function; `find_live` gives the live release ("" if there is none) and its measurements."""

    def run(ctx: Context) -> None:
        thresholds = json.loads((ctx.inputs["thresholds"] / FILE).read_bytes())
        measured: dict[str, Measurement] = {}
        for name in ctx.inputs:
            for m in read_measurements(ctx.inputs[name]):
                measured[m.name] = m
        live_name, live_measurements = find_live()
        live = {m["name"]: Measurement.from_dict(m) for m in live_measurements}
        judged = [judge(Gate.model_validate(g), measured, live) for g in thresholds["gates"]]
        verdict = overall(judged)
        ctx.write_json(
            VERDICTS,
            {
                "verdict": verdict,
                "live": live_name,
                "thresholds": thresholds,
                "gates": [j.as_dict() for j in judged],
                "measurements": [m.as_dict() for m in measured.values()],
                "live_measurements": [m.as_dict() for m in live.values()],
            },
        )
        counts = {v: sum(j.verdict == v for j in judged) for v in ("pass", "block", "need more")}
        ctx.summary = (
            f"{verdict}: {counts['pass']} of {len(judged)} gates pass, {counts['block']} block,"
            f" {counts['need more']} need more items"
        )

    return run
