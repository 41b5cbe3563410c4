"""Experiments as they are kept: which releases, whose calls, how far along."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from luodi.errors import LuodiError
from luodi.release import Registry
from luodi.store import Store, short_id
from luodi.store.database import now_ms
from luodi.store.tx import Tx, tx_of

Kind = Literal["ab", "canary", "shadow"]
State = Literal["running", "promoted", "rolled back", "stopped", "failed"]
STEPS = (0.01, 0.05, 0.2, 0.5)


@dataclass(frozen=True, slots=True)
class Plan:
    """One experiment.

    Attributes:
        base: the release that is live, NAME@VERSION.
        arms: the other releases and the share of callers that each gets, or whose calls it shadows.
        steps: of a canary: its shares, one after another; `stage` is where it stands.
        calls: of a canary: calls that it must answer in a stage before the next.
        minutes: and how long a stage lasts at least.
        alpha: how often a release that is no worse may be rolled back, over all looks, measures and stages.
        reason: why it ended.
        changed_ms: when it last changed; who changes it next names this.
    """

    id: str
    kind: Kind
    base: str
    arms: tuple[tuple[str, float], ...]
    state: State = "running"
    steps: tuple[float, ...] = ()
    stage: int = 0
    calls: int = 200
    minutes: float = 0.0
    alpha: float = 0.05
    reason: str = ""
    created_ms: int = 0
    changed_ms: int = 0
    stage_ms: int = 0
    history: tuple[dict[str, Any], ...] = field(default=())

    @property
    def name(self) -> str:
        return self.base.partition("@")[0]

    @property
    def share(self) -> float:
        """Of a canary: the share of callers that it has now."""
        return self.steps[min(self.stage, len(self.steps) - 1)] if self.steps else 0.0

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"arms": [{"release": r, "share": s} for r, s in self.arms]}


_KEPT = ("base", "arms", "steps", "stage", "calls", "minutes", "alpha", "reason", "stage_ms", "history")


def _plan(row: Sequence[Any]) -> Plan:
    id_, kind, state, created, changed, data = row
    kept = json.loads(data)
    kept["arms"] = tuple((r, float(s)) for r, s in kept["arms"])
    kept["steps"], kept["history"] = tuple(kept["steps"]), tuple(kept["history"])
    return Plan(id=id_, kind=kind, state=state, created_ms=created, changed_ms=changed, **kept)


_ALL = "SELECT id, kind, state, created_ms, changed_ms, data FROM experiments"


def running(tx: Tx) -> list[Plan]:
    return [_plan(row) for row in tx.all(f"{_ALL} WHERE state='running' ORDER BY created_ms, id")]


def all_plans(store: Store) -> list[Plan]:
    """Every experiment, newest first."""
    with store.database.begin() as connection:
        return [_plan(row) for row in tx_of(connection).all(f"{_ALL} ORDER BY created_ms DESC, id")]


def find(store: Store, prefix: str) -> Plan:
    """The one experiment whose id starts with `prefix`. Raises: LuodiError if none or several do."""
    found = [p for p in all_plans(store) if prefix and p.id.startswith(prefix)]
    if len(found) != 1:
        raise LuodiError(
            f"{'several' if found else 'no'} experiments start with {prefix!r}", "`luodi experiment ls` lists them"
        )
    return found[0]


def save(tx: Tx, plan: Plan, **changes: Any) -> Plan | None:
    """The plan with changes; None if somebody else changed it meanwhile."""
    new = replace(plan, changed_ms=max(now_ms(), plan.changed_ms + 1), **changes)
    kept = {k: v for k, v in asdict(new).items() if k in _KEPT}
    done = tx.run(
        "UPDATE experiments SET state=?, changed_ms=?, data=? WHERE id=? AND changed_ms=?",
        (new.state, new.changed_ms, json.dumps(kept), plan.id, plan.changed_ms),
    )
    return new if done else None


def start(
    store: Store,
    kind: Kind,
    arms: Sequence[tuple[str, float]],
    *,
    actor: str,
    steps: Sequence[float] = STEPS,
    calls: int = 200,
    minutes: float = 0.0,
    alpha: float = 0.05,
) -> Plan:
    """Begin an experiment on the live release; every gateway follows within some seconds.

    Args:
        arms: (release, share); of a canary its share is that of its steps.

    Raises:
        LuodiError: shares that make no sense, a release that did not pass its gates or is the live one, no live
            release, or an experiment that runs already.
    """
    registry = Registry(store)
    found = [registry.find(reference) for reference, _ in arms]
    _check(kind, arms, steps, calls, alpha)
    name = found[0].name
    live = next((r for r in registry.all(name) if "live" in r.channels), None)
    if live is None:
        raise LuodiError(f"no release of {name} is live", f"`luodi release promote {name}@VERSION` makes one live")
    for release in found:
        if release.name != name:
            raise LuodiError(f"{release} is another release than {live}", "compare versions of one release")
        if release.version == live.version:
            raise LuodiError(f"{release} is the live release itself", "name another version")
        if release.verdict != "pass":
            raise LuodiError(
                f"{release} did not pass its gates, so no caller is given its answers",
                f"`luodi release show {release}` says why",
            )
    if len({r.version for r in found}) < len(found):
        raise LuodiError("a release is named twice", "name each once")
    now = now_ms()
    pairs = tuple((str(r), float(share)) for r, (_, share) in zip(found, arms, strict=True))
    plan = Plan(
        id=f"exp_{short_id('exp', f'{kind} {pairs} {now}')[:12]}", kind=kind, base=str(live), arms=pairs,
        steps=tuple(float(s) for s in steps) if kind == "canary" else (), calls=calls, minutes=minutes, alpha=alpha,
        created_ms=now, changed_ms=now, stage_ms=now,
    )  # fmt: skip
    with store.database.begin() as connection:
        tx = tx_of(connection)
        for other in running(tx):
            if other.name == name and (kind == "shadow") == (other.kind == "shadow"):
                raise LuodiError(
                    f"{other.kind} {other.id} of {name} is running", f"`luodi experiment stop {other.id}` ends it"
                )
        if kind == "canary":
            registry.move_in(connection, found[0], "canary", actor)
        kept = {k: v for k, v in asdict(plan).items() if k in _KEPT}
        tx.run(
            "INSERT INTO experiments (id, kind, state, created_ms, changed_ms, data) VALUES (?,?,?,?,?,?)",
            (plan.id, kind, "running", now, now, json.dumps(kept)),
        )
        store.database.log(
            connection, actor, "experiment.started", plan.id, type=kind, base=plan.base, arms=[r for r, _ in plan.arms]
        )
    return plan


def _check(kind: Kind, arms: Sequence[tuple[str, float]], steps: Sequence[float], calls: int, alpha: float) -> None:
    if not 0 < alpha < 0.5 or calls < 1:
        raise LuodiError("alpha must lie between 0 and 0.5, and a stage needs a call at least")
    if kind != "ab" and len(arms) != 1:
        raise LuodiError(f"a {kind} has one release besides the live one", "for several use ab")
    if kind == "canary":
        if not steps or any(not 0 < s < 1 for s in steps) or list(steps) != sorted(set(steps)):
            raise LuodiError(
                "the steps must rise, each above 0 and below 100 per cent: the live release is the measure",
                "for example 1,5,20,50; after the last step the release becomes live",
            )
    elif any(not 0 < share <= 1 for _, share in arms) or sum(share for _, share in arms) > 1:
        raise LuodiError("each share lies above 0, and all together make 100 per cent at most")


def stop(store: Store, plan: Plan, *, actor: str, reason: str = "stopped by hand") -> None:
    """End an experiment: all callers are given the live release again. Raises: LuodiError if it is not running."""
    with store.database.begin() as connection:
        tx = tx_of(connection)
        now = next((p for p in running(tx) if p.id == plan.id), None)
        if now is None or save(tx, now, state="stopped", reason=reason) is None:
            raise LuodiError(f"experiment {plan.id} is not running")
        if plan.kind == "canary":
            Registry(store).clear_in(connection, plan.name, "canary")
        store.database.log(connection, actor, "experiment.stopped", plan.id)
