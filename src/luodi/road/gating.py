"""The gates stage: every measurement of the run against the signed thresholds."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from pydantic import BaseModel

from luodi.evaluate.gates import judge, overall
from luodi.evaluate.thresholds import FILE
from luodi.pipeline import Context, Measurement, read_measurements
from luodi.project import Gate
from luodi.release import Registry, verify
from luodi.store import Store, canonical_json

VERDICTS = "verdicts.json"
_EARLIER = "(measured before this threshold was signed)"


class Params(BaseModel):
    """The name under which the live release is looked up."""

    name: str


def run(ctx: Context) -> None:
    """Inputs: `thresholds` and every stage that measured something. Writes `verdicts.json`."""
    thresholds = json.loads((ctx.inputs["thresholds"] / FILE).read_bytes())
    statement = {name: thresholds[name] for name in ("gates", "time")}
    ctx.store.keys.verify(canonical_json(statement), thresholds["signature"])
    measured: dict[str, Measurement] = {}
    earlier: set[str] = set()
    for name in ctx.inputs:
        for m in read_measurements(ctx.inputs[name]):
            measured[m.name] = m
            if name in ctx.made_from and ctx.made_from[name].time < thresholds["time"]:
                earlier.add(m.name)
    live_name, live_measurements = find_live(ctx.params.name, ctx.store)
    live = {m["name"]: Measurement.from_dict(m) for m in live_measurements}
    judged = [judge(Gate.model_validate(g), measured, live) for g in thresholds["gates"]]
    # Figures of the data are not taken again when a threshold is edited; the passport says so.
    judged = [replace(j, reason=f"{j.reason} {_EARLIER}".strip()) if j.measure in earlier else j for j in judged]
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


def find_live(name: str, store: Store) -> tuple[str, list[dict[str, Any]]]:
    """The live release and the measurements of its verified passport; ("", []) if there is none.

    It is looked up when the gates run and is not part of their key: promoting a release does not make it anew.
    """
    live = [r for r in Registry(store).all(name) if "live" in r.channels]
    if not live:
        return "", []
    passport = verify(live[0], store).passport
    return str(live[0]), [m for rows in passport["promises"].values() for m in rows]
