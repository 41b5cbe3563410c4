"""Gates: bounds on measurements, judged on the pessimistic end of the interval. Not measured is not passed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from luodi.evaluate.statistics import items_needed
from luodi.pipeline import Measurement
from luodi.project import Gate

Verdict = Literal["pass", "block", "need more"]


@dataclass(frozen=True, slots=True)
class Judged:
    """A gate with its verdict. `meets_value` is whether the bare value meets the bound."""

    measure: str
    bound: str
    verdict: Verdict
    required: bool
    reason: str
    meets_value: bool = False
    live: float | None = None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def judge(gate: Gate, measured: Mapping[str, Measurement], live: Mapping[str, Measurement]) -> Judged:
    """The verdict of one gate. `live` holds the measurements of the live release; a margin is against those."""
    bound = _bound(gate)
    m = measured.get(gate.measure)
    if m is None:
        return Judged(
            gate.measure, bound, "block", gate.required, "not measured, and what is not measured is not passed"
        )
    if m.n == 0:
        return Judged(gate.measure, bound, "need more", gate.required, "measured on no items")
    if not math.isfinite(m.value):
        return Judged(gate.measure, bound, "block", gate.required, f"{m.value} is no figure")
    if gate.margin is not None:
        compared = _against_live(gate, m, live.get(gate.measure), bound)
        if compared.verdict != "pass" or (gate.at_least is None and gate.at_most is None):
            return compared
        return replace(_absolute(gate, m, bound), live=compared.live)
    return _absolute(gate, m, bound)


def _absolute(gate: Gate, m: Measurement, bound: str) -> Judged:
    low, high = (m.low, m.high) if gate.judge == "interval" else (m.value, m.value)
    low, high = m.value if low is None else low, m.value if high is None else high
    met_value = _meets(gate, m.value, m.value)
    if _meets(gate, low, high):
        return Judged(gate.measure, bound, "pass", gate.required, "", met_value)
    if met_value:
        reason = f"the value meets the bound, its interval [{low:.3g}, {high:.3g}] does not: {m.n} items are too few"
        return Judged(gate.measure, bound, "need more", gate.required, reason, True)
    return Judged(gate.measure, bound, "block", gate.required, f"{m.value:.4g} {m.unit}", False)


def _bound(gate: Gate) -> str:
    parts = []
    if gate.at_least is not None:
        parts.append(f"≥ {gate.at_least:g}")
    if gate.at_most is not None:
        parts.append(f"≤ {gate.at_most:g}")
    if gate.margin is not None:
        parts.append(f"not worse than live by {gate.margin:g}")
    return ", ".join(parts)


def _meets(gate: Gate, low: float, high: float) -> bool:
    return (gate.at_least is None or low >= gate.at_least) and (gate.at_most is None or high <= gate.at_most)


def _against_live(gate: Gate, m: Measurement, live: Measurement | None, bound: str) -> Judged:
    """Non-inferiority on the two intervals. Item-by-item pairing comes with the evidence stages."""
    assert gate.margin is not None
    if live is None:
        return Judged(gate.measure, bound, "pass", gate.required, "no live release to compare with", True)
    sign = 1 if m.better == "higher" else -1
    difference = sign * (m.value - live.value)
    half_new = (m.high - m.low) / 2 if m.low is not None and m.high is not None else 0.0
    half_old = (live.high - live.low) / 2 if live.low is not None and live.high is not None else 0.0
    half = (half_new**2 + half_old**2) ** 0.5 if gate.judge == "interval" else 0.0
    if m == live or difference - half >= -gate.margin:
        return Judged(gate.measure, bound, "pass", gate.required, "", True, live.value)
    if difference + half < -gate.margin:
        return Judged(gate.measure, bound, "block", gate.required, f"worse by {-difference:.3g}", False, live.value)
    needed = items_needed(half * (m.n**0.5) / 1.96, gate.margin)
    return Judged(
        gate.measure,
        bound,
        "need more",
        gate.required,
        f"needs about {needed} items, has {m.n}",
        difference >= -gate.margin,
        live.value,
    )


def overall(judged: list[Judged]) -> Verdict:
    """The verdict of all: a required gate that blocks blocks; one that needs more items does not let through either."""
    required = {j.verdict for j in judged if j.required}
    return "block" if "block" in required else "need more" if "need more" in required else "pass"
