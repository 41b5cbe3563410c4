"""What is measured of a call for an experiment, and summed up for all workers.

All measures are better when lower. All but `latency` lie between 0 and 1.

error      the call failed by our fault
refused    the guard refused the question or withdrew the answer
abstained  the documents did not speak of what was asked
dropped    the share of the answer's sentences that no passage supports
bad        a person said that the answer was bad
differs    of a shadow: it would have answered otherwise
latency    natural logarithm of the milliseconds until the first piece
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log

from luodi.gateway.call import Call, Outcome
from luodi.gateway.experiment.sequential import Tally
from luodi.store import Store
from luodi.store.tx import Tx, tx_of

RATES = ("error", "refused", "abstained", "dropped", "bad")
MEASURES = (*RATES, "latency")


@dataclass(frozen=True, slots=True)
class Count:
    """The values of one call."""

    experiment: str
    arm: str
    stage: int
    values: dict[str, float]


def measure(call: Call, outcome: Outcome) -> dict[str, float]:
    """The values of a call that has ended; none if it tells nothing of the release."""
    if outcome.finish == "cancelled" or outcome.cached:
        return {}
    if outcome.error:
        return {"error": 1.0} if outcome.status >= 500 else {}
    values = {"error": 0.0, "refused": float(outcome.kind == "refused")}
    if outcome.kind == "refused":
        return values
    if call.task == "answer":
        values["abstained"] = float(outcome.kind == "abstained")
        said = outcome.dropped + len(outcome.checks)
        if said:
            values["dropped"] = outcome.dropped / said
    if outcome.first_ms > 0:
        values["latency"] = log(outcome.first_ms)
    return values


_ADD = (
    "INSERT INTO tallies (experiment, arm, stage, metric, n, total, squares) VALUES (?,?,?,?,?,?,?) "
    "ON CONFLICT (experiment, arm, stage, metric) DO UPDATE SET n=tallies.n+excluded.n, "
    "total=tallies.total+excluded.total, squares=tallies.squares+excluded.squares"
)


def add(tx: Tx, items: Sequence[Count]) -> list[None]:
    """The book of the group writer."""
    sums: dict[tuple[str, str, int, str], list[float]] = {}
    for item in items:
        for name, value in item.values.items():
            found = sums.setdefault((item.experiment, item.arm, item.stage, name), [0, 0.0, 0.0])
            found[0] += 1
            found[1] += value
            found[2] += value * value
    # In one order everywhere, so that two workers can't wait for each other.
    tx.many(_ADD, [(*key, int(n), total, squares) for key, (n, total, squares) in sorted(sums.items())])
    return [None] * len(items)


Tallies = dict[str, dict[int, dict[str, Tally]]]
"""By arm, stage and measure."""


def read(tx: Tx, experiment: str) -> Tallies:
    found: Tallies = {}
    sql = "SELECT arm, stage, metric, n, total, squares FROM tallies WHERE experiment=?"
    for arm, stage, name, n, total, squares in tx.all(sql, (experiment,)):
        found.setdefault(arm, {}).setdefault(int(stage), {})[name] = Tally(int(n), float(total), float(squares))
    return found


def read_store(store: Store, experiment: str) -> Tallies:
    with store.database.begin() as connection:
        return read(tx_of(connection), experiment)


def pooled(stages: dict[int, dict[str, Tally]]) -> dict[str, Tally]:
    """Over all stages."""
    out: dict[str, Tally] = {}
    for one in stages.values():
        for name, t in one.items():
            o = out.get(name, Tally())
            out[name] = Tally(o.n + t.n, o.total + t.total, o.squares + t.squares)
    return out
