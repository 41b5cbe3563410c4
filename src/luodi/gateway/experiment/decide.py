"""What the numbers say of an experiment, and what follows from it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from luodi.gateway.experiment.plan import Plan, running, save
from luodi.gateway.experiment.sequential import ENOUGH, Interval, Tally, compare_means, compare_rates
from luodi.gateway.experiment.tally import MEASURES, Tallies, pooled, read
from luodi.release import Registry
from luodi.store import Store
from luodi.store.database import now_ms
from luodi.store.tx import tx_of

ACTOR = "luodi canary"
Tell = Callable[[Connection, str, dict[str, Any]], object]
"""Told of an event: its kind and its data."""


def _nobody(connection: Connection, kind: str, data: dict[str, Any]) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Finding:
    """One measure of an arm against the base. `worse`: shown to be worse, `better`: shown to be better."""

    arm: str
    measure: str
    arm_n: int
    base_n: int
    arm_mean: float
    base_mean: float
    interval: Interval

    @property
    def worse(self) -> bool:
        return self.interval.low > 0

    @property
    def better(self) -> bool:
        return self.interval.high < 0

    def as_dict(self) -> dict[str, Any]:
        def finite(x: float) -> float | None:
            return round(x, 6) if math.isfinite(x) else None

        return {
            "arm": self.arm, "measure": self.measure, "n": self.arm_n, "base_n": self.base_n,
            "mean": round(self.arm_mean, 6), "base_mean": round(self.base_mean, 6),
            "difference": finite(self.interval.difference), "low": finite(self.interval.low),
            "high": finite(self.interval.high), "worse": self.worse, "better": self.better,
        }  # fmt: skip


def findings(plan: Plan, tallies: Tallies) -> list[Finding]:
    """Every measure of every arm. Of a canary: of the stage in which it stands, whose shares do not change.

    Alpha is divided by the measures, the arms and the stages that are looked at, so it holds for all together.
    """
    stages = max(1, len(plan.steps))
    alpha = plan.alpha / (len(MEASURES) * len(plan.arms) * stages)
    out = []
    for arm, _ in plan.arms:
        mine, base = (
            tallies.get(who, {}).get(plan.stage, {}) if plan.kind == "canary" else pooled(tallies.get(who, {}))
            for who in (arm, plan.base)
        )
        for name in MEASURES:
            a, b = mine.get(name, Tally()), base.get(name, Tally())
            if a.n and b.n:
                compare = compare_means if name == "latency" else compare_rates
                out.append(Finding(arm, name, a.n, b.n, a.mean, b.mean, compare(a, b, alpha)))
    return out


def decide(plan: Plan, tallies: Tallies, now: int) -> tuple[str, str]:
    """("wait" | "advance" | "promote" | "roll back", reason) of a canary."""
    found = findings(plan, tallies)
    for f in found:
        if f.worse:
            return "roll back", (
                f"{f.measure} is worse: {f.arm_mean:.4g} against {f.base_mean:.4g}, "
                f"by {f.interval.low:.4g} at least ({f.arm_n} and {f.base_n} calls)"
            )
    arm = plan.arms[0][0]
    answered = tallies.get(arm, {}).get(plan.stage, {}).get("error", Tally()).n
    compared = tallies.get(plan.base, {}).get(plan.stage, {}).get("error", Tally()).n
    if answered < plan.calls or compared < min(plan.calls, ENOUGH) or now - plan.stage_ms < plan.minutes * 60_000:
        return "wait", f"{answered} of {plan.calls} calls, {compared} by the live release"
    if plan.stage + 1 < len(plan.steps):
        return "advance", f"{answered} calls and nothing is shown to be worse"
    return "promote", f"{answered} calls at its last step and nothing is shown to be worse"


def look(store: Store, tell: Tell = _nobody) -> list[Plan]:
    """Look at every experiment that runs, and do what follows. Several workers may look: one of them does it.

    Args:
        tell: is told of a rollback, inside the transaction that does it.

    Returns: the experiments that changed.
    """
    registry = Registry(store)
    with store.database.begin() as connection:
        tx = tx_of(connection)
        plans = [(p, read(tx, p.id) if p.kind == "canary" else {}) for p in running(tx)]
        live = {p.name: registry.live_in(connection, p.name) for p, _ in plans}
    changed = []
    for plan, tallies in plans:
        now = now_ms()
        if plan.base != f"{plan.name}@{live[plan.name]}":
            what, reason = "stop", f"{plan.base} is not live any more"
        elif plan.kind == "canary":
            what, reason = decide(plan, tallies, now)
        else:
            continue
        if what != "wait" and (new := _do(registry, plan, what, reason, now, tell)) is not None:
            changed.append(new)
    return changed


_STATES = {"promote": "promoted", "roll back": "rolled back", "stop": "stopped"}


def _do(registry: Registry, plan: Plan, what: str, reason: str, now: int, tell: Tell) -> Plan | None:
    """Everything in one transaction: a kill leaves nothing half done."""
    arm, store = plan.arms[0][0], registry.store
    history = (*plan.history, {"time_ms": now, "stage": plan.stage, "share": plan.share, "did": what, "why": reason})
    changes: dict[str, Any] = {"history": history}
    if what == "advance":
        changes |= {"stage": plan.stage + 1, "stage_ms": now}
    else:
        changes |= {"state": _STATES[what], "reason": reason}
    release = registry.find(arm)
    with store.database.begin() as connection:
        new = save(tx_of(connection), plan, **changes)
        if new is None:  # another worker did it
            return None
        if what == "promote":
            registry.move_in(connection, release, "live", ACTOR)
        if what != "advance" and plan.kind == "canary":
            registry.clear_in(connection, plan.name, "canary")
        store.database.log(
            connection, ACTOR, "experiment." + _STATES.get(what, "advanced").replace(" ", "_"), plan.id, release=arm,
            base=plan.base, stage=plan.stage, share_micro=round(plan.share * 1e6), reason=reason,
        )  # fmt: skip
        if what == "roll back":
            told = {"release": arm, "to": plan.base, "experiment": plan.id, "reason": reason}
            tell(connection, "release.rolled_back", told)
    return new
