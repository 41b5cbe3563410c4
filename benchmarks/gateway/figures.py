"""Figures in the house's form, their targets, and the files they end in."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from benchmarks.road import RESULTS, figure, run

Row = dict[str, Any]

LEFT_OUT = "left out with an option"  # the reason of a figure that was not asked for

AT_LEAST: dict[str, float] = {
    "governed rate over LiteLLM's": 20,
    "governed rate over the bare proxy's": 0.3,
    "governed: paced streams without a late chunk": 512,
    "harness: direct rate over the fastest subject's": 5,
}
AT_MOST: dict[str, float] = {
    "governed: CPU a request": 400,
    "governed: added latency p50": 1,
    "governed: added latency p99": 3,
    "governed: added time to first token p50": 1,
    "governed: CPU a relayed chunk": 50,
    "governed: memory idle": 120,
    "governed: memory growth over 100,000 requests": 5,
    "governed: CPU an exact-cache hit": 250,
}


def row(name: str, values: Sequence[float], unit: str, cell: str, peer: str = "") -> Row:
    """Median and range of `values`, one a round; whether the target is met follows from it."""
    command = f"python -m benchmarks.gateway --only {cell}"
    made = figure(name, list(values), unit, _target(name), False, command, peer)
    return made | {"met": _met(name, made["value"]), "commit": made["commit"] + _changed()}


def missing(name: str, unit: str, cell: str, reason: str) -> Row:
    """A figure that could not be measured, and why."""
    return row(name, [0.0], unit, cell, f"not measured: {reason}") | {
        "value": None, "low": None, "high": None, "n": 0, "met": False if _target(name) else None,
    }  # fmt: skip


def row_or_missing(name: str, values: Sequence[float], unit: str, cell: str, reason: str | None, peer: str = "") -> Row:
    if reason or not values:
        return missing(name, unit, cell, reason or "no values")
    return row(name, values, unit, cell, peer)


@cache
def _changed() -> str:
    """`-dirty` if what was measured is not what was committed."""
    return "-dirty" if run("git", "status", "--porcelain", "src", "benchmarks/gateway")[1].strip() else ""


def _target(name: str) -> str:
    if name in AT_LEAST:
        return f"≥ {AT_LEAST[name]:g}"
    return f"≤ {AT_MOST[name]:g}" if name in AT_MOST else ""


def _met(name: str, value: float) -> bool | None:
    if name in AT_LEAST:
        return value >= AT_LEAST[name]
    return value <= AT_MOST[name] if name in AT_MOST else None


def table(rows: Sequence[Row]) -> str:
    lines = ["| figure | value | range | n | target | met | peer |", "|--|--|--|--|--|--|--|"]
    met: Callable[[Row], str] = lambda r: {True: "yes", False: "no", None: ""}[r["met"]]  # noqa: E731
    for r in rows:
        value = "–" if r["value"] is None else f"{_short(r['value'])} {r['unit']}"
        span = "–" if r["value"] is None else f"{_short(r['low'])} – {_short(r['high'])}"
        lines.append(f"| {r['figure']} | {value} | {span} | {r['n']} | {r['target']} | {met(r)} | {r['peer']} |")
    return "\n".join(lines)


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def write(rows: Sequence[Row], about: str) -> None:
    """gateway.json and gateway.md. Figures that were not measured this time stay as they were."""
    path = RESULTS / "gateway.json"
    before: list[Row] = json.loads(path.read_text("utf-8")) if path.is_file() else []
    known = {r["figure"] for r in before}
    new = {r["figure"]: r for r in rows if not (r["figure"] in known and LEFT_OUT in r["peer"])}
    merged = [new.pop(r["figure"], r) for r in before]
    merged += new.values()
    RESULTS.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(merged, indent=1, ensure_ascii=False) + "\n", "utf-8")
    commits = ", ".join(dict.fromkeys(r["commit"] for r in merged))
    text = f"Measured at {commits} by `make bench-gateway`.\n\n{about}\n\n{table(merged)}\n"
    (RESULTS / "gateway.md").write_text(text, "utf-8")
