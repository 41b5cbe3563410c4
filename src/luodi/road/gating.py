"""The gates stage: every measurement of the run against the signed thresholds."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import BaseModel

from luodi.evaluate.gates import Evidence, judge_all, overall
from luodi.evaluate.items import Item, keep, read_items
from luodi.evaluate.thresholds import FILE, check
from luodi.pipeline import Context, Measurement, read_measurements
from luodi.project import Gates
from luodi.release import Registry, verify
from luodi.release.bundle import EVIDENCE
from luodi.store import Store

VERDICTS = "verdicts.json"
_EARLIER = "(measured before this threshold was signed)"


class Params(BaseModel):
    """The name under which the live release is looked up, and the confidence of every verdict."""

    name: str
    confidence: float = 0.95


def run(ctx: Context) -> None:
    """Inputs: `thresholds` and every stage that measured something. Writes `verdicts.json` and the items."""
    thresholds = json.loads((ctx.inputs["thresholds"] / FILE).read_bytes())
    check(thresholds, ctx.store)
    gates = Gates.model_validate({name: thresholds[name] for name in ("gates", "waivers", "multiplicity")})
    live = find_live(ctx.params.name, ctx.store)
    measured: dict[str, Measurement] = {}
    items: dict[str, list[Item]] = {}
    earlier: set[str] = set()
    same: set[str] = set()
    for name in ctx.inputs:
        items |= read_items(ctx.inputs[name])
        action = ctx.made_from.get(name)
        for m in read_measurements(ctx.inputs[name]):
            measured[m.name] = m
            if action and action.time < thresholds["time"]:
                earlier.add(m.name)
            if action and live.keys.get(name) == action.key:
                same.add(m.name)
    before = {m["name"]: Measurement.from_dict(m) for m in live.measurements}
    evidence = Evidence(measured, items, before, live.items, frozenset(same), ctx.params.confidence)
    judged = judge_all(gates.gates, evidence, waivers=gates.waivers, multiplicity=gates.multiplicity)
    # Figures of the data are not taken again when a threshold is edited; the passport says so.
    judged = [replace(j, reason=f"{j.reason} {_EARLIER}".strip()) if j.measure in earlier else j for j in judged]
    verdict = overall(judged)
    keep(ctx.out, items)
    ctx.write_json(
        VERDICTS,
        {
            "verdict": verdict,
            "live": live.name,
            "thresholds": thresholds,
            "gates": [j.as_dict() for j in judged],
            "measurements": [m.as_dict() for m in measured.values()],
            "live_measurements": [m.as_dict() for m in before.values()],
        },
    )
    counts = {v: sum(j.verdict == v for j in judged) for v in ("pass", "block", "need more")}
    waived = sum(j.waiver is not None for j in judged)
    ctx.summary = (
        f"{verdict}: {counts['pass']} of {len(judged)} gates pass, {counts['block']} block,"
        f" {counts['need more']} need more items" + (f"; {waived} of them waived" if waived else "")
    )


@dataclass(frozen=True, slots=True)
class Live:
    """What is compared with: a release's measurements, items, and the key of each of its stages."""

    name: str = ""
    measurements: list[dict[str, Any]] = field(default_factory=list)
    items: dict[str, list[Item]] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)


def find_live(name: str, store: Store) -> Live:
    """The live release, verified; an empty one if there is none.

    It is looked up when the gates run and is not part of their key: promoting a release does not make it anew.
    """
    live = [r for r in Registry(store).all(name) if "live" in r.channels]
    if not live:
        return Live()
    checked = verify(live[0], store)
    passport = checked.passport
    return Live(
        str(live[0]),
        [m for rows in passport["promises"].values() for m in rows],
        read_items(checked.folder / EVIDENCE),
        {stage["stage"]: stage["key"] for stage in passport.get("stages", [])},
    )
