"""How often a release that is worse than the live one by exactly one margin (2 points) is let through, and how often
an equal one is: 20,000 simulated comparisons of shares on the same items, 4,000 of F1. The peers' rules in the same
simulation: lm-evaluation-harness's model_comparator ticks what an unpaired z-test does not tell apart at 5 %; Inspect
suggests to look whether the two 95 % intervals overlap. An equal release that is not let through is told how many more
items would decide. Items differ in 6 % of the pairs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from benchmarks.parts import row

from luodi.evaluate.statistics import non_inferior
from luodi.evaluate.statistics.pairs import _tango
from luodi.pipeline.intervals import wilson

COMMAND = "make bench-evidence"
MARGIN, DIFFER, RUNS, FEW = 0.02, 0.06, 20_000, 4000


def rows() -> list[dict[str, Any]]:
    out = []
    for n in (200, 500, 1319, 3000):
        for worse in (0.0, MARGIN, 0.05):
            out.append(shares(n, worse))
    return [*out, *scores(), needed()]


def shares(n: int, worse: float) -> dict[str, Any]:
    rng = np.random.default_rng(n)
    won, lost = (max(DIFFER, worse) - worse) / 2, (max(DIFFER, worse) + worse) / 2
    both = 0.8 - lost
    draws = rng.multinomial(n, [won, lost, both, 1 - won - lost - both], RUNS)
    passed = unpaired = overlapping = point = 0
    for w, gone, kept, _ in draws:
        passed += _tango(int(w), int(gone), n, MARGIN) > 1.6448536
        a, b = (w + kept) / n, (gone + kept) / n
        error = (a * (1 - a) / n + b * (1 - b) / n) ** 0.5
        unpaired += not (error and abs(a - b) / error > 1.96)
        half = 1.96 * ((a * (1 - a) / n) ** 0.5 + (b * (1 - b) / n) ** 0.5)
        overlapping += abs(a - b) <= half
        point += a - b >= -MARGIN
    low, high = wilson(passed, RUNS)
    peers = {"unpaired z": unpaired / RUNS, "overlap": overlapping / RUNS, "difference alone": point / RUNS}
    target = "≤ 0.05" if worse >= MARGIN else ""
    return row(f"let through at a true difference of {-worse * 100:+.0f} points, {n} items" if worse else
               f"let through if equal, {n} items", round(passed / RUNS, 4), "share", RUNS, low=round(low, 4),
               high=round(high, 4), target=target, met=low <= 0.05 if target else None,
               peer={k: round(v, 4) for k, v in peers.items()}, command=COMMAND)  # fmt: skip


def scores() -> list[dict[str, Any]]:
    """F1 that is lost on few items at once, and F1 that moves a little everywhere."""
    out = []
    for name, n in (("a few items lost", 200), ("a few items lost", 1000), ("every item a little", 500)):
        rng = np.random.default_rng(n)
        passed = 0
        for _ in range(FEW):
            old = rng.beta(4, 3, n)
            if name == "a few items lost":
                new = np.where(rng.random(n) < MARGIN / (4 / 7), 0.0, old)
            else:
                new = (old + rng.normal(-MARGIN, 0.05, n)).clip(0, 1)
            passed += non_inferior(new.tolist(), old.tolist(), MARGIN).low >= -MARGIN
        low, high = wilson(passed, FEW)
        out.append(
            row(f"let through at a true difference of -2 points of F1, {name}, {n} items", round(passed / FEW, 4),
                "share", FEW, low=round(low, 4), high=round(high, 4), target="≤ 0.05", met=low <= 0.05, command=COMMAND)
        )  # fmt: skip
    return out


def needed() -> dict[str, Any]:
    """Equal releases pass so often on as many items as are asked for."""
    rng = np.random.default_rng(9)
    half = int(500 * DIFFER / 2)
    new = [1.0] * half + [0.0] * half + [1.0] * (500 - 2 * half)
    old = [0.0] * half + [1.0] * half + [1.0] * (500 - 2 * half)
    n = non_inferior(new, old, MARGIN).needed
    draws = rng.multinomial(n, [DIFFER / 2, DIFFER / 2, 1 - DIFFER], RUNS)
    passed = sum(_tango(int(w), int(lost), n, MARGIN) > 1.6448536 for w, lost, _ in draws)
    low, high = wilson(passed, RUNS)
    return row(f"equal releases let through with the {n} items asked for", round(passed / RUNS, 4), "share", RUNS,
               low=round(low, 4), high=round(high, 4), target="0.8 ± 0.05", met=0.75 <= passed / RUNS <= 0.85,
               command=COMMAND)  # fmt: skip
