"""How often a nominal 95 % interval holds the truth: 2,000 simulated evaluations each, for every kind of interval in
use, at the sizes and rates that gates meet. Scores of F1 are 0 in 30 % of the items and Beta(2, 3) otherwise; skewed
costs are log-normal; a difference is 0 in 92 % of the items, or 90 % where one model is worse. Counts are whole, so
that near 0 and 1 no interval of a share can cover exactly 95 %. Beside Student's interval stand the bootstraps that it
replaced (1,000 resamples): percentile, BCa, studentised.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from benchmarks.parts import row
from numpy.typing import NDArray
from scipy import special

from luodi.evaluate.statistics import exact_share, mean, non_inferior, share, share_of
from luodi.evaluate.statistics.judged import Counts, rogan_gladen
from luodi.pipeline.intervals import wilson

COMMAND = "make bench-evidence"
RUNS = 2000
Array = NDArray[np.float64]
Interval = Callable[[Array], tuple[float, float]]


def rows() -> list[dict[str, Any]]:
    return [*shares(), *means(), *clustered(), *differences(), *corrected()]


def covered(figure: str, hits: int, n: int, peers: dict[str, Any] | None = None, least: bool = False) -> dict[str, Any]:
    """A row: met if the share lies in 94 to 96 %, or the noise of the simulation can't tell that it does not."""
    low, high = wilson(hits, RUNS)
    met = high >= 0.95 if least else low <= 0.96 and high >= 0.94
    target = "≥ 0.95" if least else "0.94 – 0.96"
    name = f"covered: {figure}, n {n}"
    return row(name, round(hits / RUNS, 4), "share", RUNS, low=round(low, 4), high=round(high, 4), target=target,
               met=met, peer=peers, command=COMMAND)  # fmt: skip


def shares() -> list[dict[str, Any]]:
    out, rng = [], np.random.default_rng(1)
    for n in (50, 300, 1000):
        for p in (0.05, 0.5, 0.9, 0.98):
            counts = rng.binomial(n, p, RUNS)
            both = [(share_of(int(k), n), exact_share(int(k), n)) for k in counts]
            exact = sum(e.low <= p <= e.high for _, e in both) / RUNS
            normal = sum(abs(k / n - p) <= 1.96 * (k / n * (1 - k / n) / n) ** 0.5 for k in counts) / RUNS
            peers = {"Clopper–Pearson": round(exact, 4), "normal (lm-eval, Inspect)": round(normal, 4)}
            out.append(covered(f"share {p:g}, Wilson", sum(e.low <= p <= e.high for e, _ in both), n, peers))
    for n, p in ((300, 0.01), (1000, 0.001)):
        hits = sum((e := exact_share(int(k), n)).low <= p <= e.high for k in rng.binomial(n, p, RUNS))
        out.append(covered(f"share {p:g}, Clopper–Pearson", hits, n, least=True))
    return out


def means() -> list[dict[str, Any]]:
    rng = np.random.default_rng(2)
    kinds: dict[str, tuple[Callable[[int], Array], float]] = {
        "F1": (lambda n: np.where(rng.random(n) < 0.3, 0.0, rng.beta(2, 3, n)), 0.28),
        "skewed costs": (lambda n: rng.lognormal(0, 1, n), float(np.exp(0.5))),
        "differences": (lambda n: rng.choice([-1.0, 0.0, 1.0], n, p=[0.04, 0.92, 0.04]), 0.0),
        "differences, one worse": (lambda n: rng.choice([-1.0, 0.0, 1.0], n, p=[0.06, 0.9, 0.04]), -0.02),
    }
    out = []
    for name, (draw, truth) in kinds.items():
        for n in (50, 200):
            hits, peers = 0, dict.fromkeys(("percentile", "BCa", "studentised"), 0)
            for _ in range(RUNS):
                values = draw(n)
                e = mean(values.tolist())
                hits += e.low <= truth <= e.high
                for kind, (low, high) in bootstraps(values, rng).items():
                    peers[kind] += low <= truth <= high
            told = {kind: round(k / RUNS, 4) for kind, k in peers.items()}
            out.append(covered(f"mean of {name}, Student", hits, n, told))
    return out


def bootstraps(x: Array, rng: np.random.Generator, resamples: int = 1000) -> dict[str, tuple[float, float]]:
    """Percentile, BCa (Efron 1987) and studentised intervals of a mean."""
    n, m = len(x), x.mean()
    error = x.std(ddof=1) / n**0.5
    if error == 0:
        return dict.fromkeys(("percentile", "BCa", "studentised"), (m, m))
    weights = rng.multinomial(n, np.full(n, 1 / n), size=resamples).astype(np.float32)
    means = weights @ x.astype(np.float32) / n
    errors = np.sqrt(np.maximum(weights @ (x**2).astype(np.float32) / n - means**2, 0) / (n - 1))
    bias = special.ndtri(np.clip(((means < m).mean() + (means <= m).mean()) / 2, 1e-3, 1 - 1e-3))
    d = x - m
    speed = (d**3).sum() / (6 * ((d**2).sum()) ** 1.5)
    z = special.ndtri([0.025, 0.975])
    ends = np.quantile(means, special.ndtr(bias + (bias + z) / (1 - speed * (bias + z))))
    with np.errstate(divide="ignore", invalid="ignore"):
        t = (means - m) / errors
    high, low = np.quantile(t[np.isfinite(t)], [0.025, 0.975])
    plain = np.quantile(means, [0.025, 0.975])
    return {
        "percentile": (plain[0], plain[1]), "BCa": (ends[0], ends[1]),
        "studentised": (m - low * error, m - high * error),
    }  # fmt: skip


def clustered() -> list[dict[str, Any]]:
    """Items of one passage stand together: p differs from passage to passage (Beta with mean 0.8)."""
    out, rng = [], np.random.default_rng(3)
    for groups, size in ((20, 10), (50, 6)):
        names = np.repeat(np.arange(groups), size).tolist()
        hits = alone = 0
        for _ in range(RUNS):
            values = rng.random((groups, size)) < rng.beta(4, 1, groups)[:, None]
            flat = values.ravel().tolist()
            e, plain = share(flat, clusters=names), share(flat)
            hits += e.low <= 0.8 <= e.high
            alone += plain.low <= 0.8 <= plain.high
        peers = {"as if they stood alone": round(alone / RUNS, 4)}
        out.append(covered(f"share 0.8 in {groups} clusters of {size}", hits, groups * size, peers))
    return out


def differences() -> list[dict[str, Any]]:
    """Both one-sided 95 % ends of a paired difference together are a 90 % interval; each end misses at most 5 %."""
    out, rng = [], np.random.default_rng(4)
    for n, won, lost in ((100, 0.04, 0.06), (500, 0.03, 0.03), (500, 0.02, 0.04)):
        hits = 0
        for k in rng.multinomial(n, [won, lost, 1 - won - lost], RUNS):
            new = [1.0] * k[0] + [0.0] * (n - k[0])
            old = [0.0] * k[0] + [1.0] * k[1] + [0.0] * (n - k[0] - k[1])
            hits += non_inferior(new, old, 0.02).low <= won - lost
        out.append(
            covered(f"lower end of a paired difference of {won - lost:+.2f}, Tango, one-sided", hits, n, least=True)
        )
    return out


def corrected() -> list[dict[str, Any]]:
    """A share of 0.25 that a judge counts (sensitivity 0.8, false alarms 0.1), with the labels drawn each time too."""
    rng = np.random.default_rng(5)
    out = []
    for n, labels in ((400, 80), (1000, 150)):
        hits = plain = 0
        for run in range(RUNS):
            truth = rng.random(n) < 0.25
            flagged = int(np.where(truth, rng.random(n) < 0.8, rng.random(n) < 0.1).sum())
            counts = Counts(flagged, n, int(rng.binomial(labels, 0.8)), labels, int(rng.binomial(labels, 0.1)), labels)
            e = rogan_gladen([counts], seed=run)
            hits += e.low <= 0.25 <= e.high
            low, high = wilson(flagged, n)
            plain += low <= 0.25 <= high
        name = f"share 0.25 corrected for a judge, {labels} labels of each kind"
        out.append(covered(name, hits, n, {"not corrected": round(plain / RUNS, 4)}))
    return out
