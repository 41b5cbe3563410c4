"""Intervals of shares, means and quantiles. Two-sided unless it says otherwise.

Items of one cluster (questions on one passage, sentences of one answer) say less than as many that stand alone; where
clusters are given, the spread is taken between them (Liang and Zeger 1986; for evaluations Miller 2024).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from luodi.errors import require
from luodi.pipeline.intervals import wilson

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean with its interval."""

    value: float
    low: float
    high: float
    n: int


def t_quantile(df: int, confidence: float) -> float:
    """Quantile of Student's t at `confidence`, e.g. 0.975 for the ends of a two-sided 95 % interval."""
    return float(require("scipy.special", extra="train").stdtrit(max(1, df), confidence))


def spread(data: Array, clusters: Sequence[Hashable] | None = None) -> tuple[float, int]:
    """(standard error of the mean, degrees of freedom); with clusters, from their sums, with G − 1 degrees."""
    n = len(data)
    centred = data - data.mean()
    if clusters is None:
        return float(math.sqrt((centred**2).sum() / max(1, n - 1) / n)), n - 1
    if len(clusters) != n:
        raise ValueError(f"{n} items have {len(clusters)} clusters")
    numbers: dict[Hashable, int] = {}
    index = np.array([numbers.setdefault(c, len(numbers)) for c in clusters])
    groups = len(numbers)
    sums = np.bincount(index, centred, groups)
    return float(math.sqrt((sums**2).sum() * groups / max(1, groups - 1)) / n), groups - 1


def share(hits: Sequence[bool], confidence: float = 0.95, clusters: Sequence[Hashable] | None = None) -> Estimate:
    """A share with Wilson's interval, which stays honest near 0 and 1.

    With clusters, n is divided by the design effect (Korn and Graubard 1998). Where all items agree, the effect can't
    be seen and every cluster counts once.
    """
    k, n = sum(hits), len(hits)
    if clusters is None or n == 0:
        return share_of(k, n, confidence)
    standard_error, df = spread(np.asarray(hits, float), clusters)
    p = k / n
    plain = p * (1 - p) / n
    effective = n / max(1.0, standard_error**2 / plain) if plain else float(df + 1)
    # Few clusters know their own spread badly: the normal quantile is widened to Student's.
    effective *= (NormalDist().inv_cdf(0.5 + confidence / 2) / t_quantile(df, 0.5 + confidence / 2)) ** 2
    low, high = wilson_ends(p, effective, confidence)
    return Estimate(p, low, high, n)


def share_of(k: int, n: int, confidence: float = 0.95) -> Estimate:
    """`k` of `n` with Wilson's interval."""
    low, high = wilson(k, n, confidence)
    return Estimate(k / n if n else 0.0, low, high, n)


def wilson_ends(p: float, n: float, confidence: float) -> tuple[float, float]:
    """Wilson's interval of a share `p` of `n` items, where `n` need not be whole."""
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return 0.0 if p == 0 else max(0.0, centre - half), 1.0 if p == 1 else min(1.0, centre + half)


def exact_share(k: int, n: int, confidence: float = 0.95) -> Estimate:
    """`k` of `n` with Clopper and Pearson's interval (1934), which never covers less than `confidence`.

    For events that are to be rare: 0 of 300 is at most 1 %, one-sided at 95 % (confidence 0.9 here).
    """
    if n == 0:
        return Estimate(0.0, 0.0, 1.0, 0)
    special = require("scipy.special", extra="train")
    tail = (1 - confidence) / 2
    low = 0.0 if k == 0 else float(special.betaincinv(k, n - k + 1, tail))
    high = 1.0 if k == n else float(special.betaincinv(k + 1, n - k, 1 - tail))
    return Estimate(k / n, low, high, n)


def mean(values: Sequence[float], confidence: float = 0.95, clusters: Sequence[Hashable] | None = None) -> Estimate:
    """A mean with Student's interval.

    On scores and differences as evaluations give them it covers better than bootstraps do, which fail where few items
    differ (measured by `make bench-evidence`). Of equal values the interval is the value itself: that says nothing of
    the spread. Shares take `share`, which stays honest there.
    """
    data = np.asarray(values, dtype=float)
    if data.size == 0:
        return Estimate(0.0, 0.0, 0.0, 0)
    value, (error, df) = float(data.mean()), spread(data, clusters)
    half = t_quantile(df, 0.5 + confidence / 2) * error if error else 0.0
    return Estimate(value, value - half, value + half, int(data.size))


def mean_of(scores: Sequence[float], confidence: float = 0.95, clusters: Sequence[Hashable] | None = None) -> Estimate:
    """The mean of scores from 0 to 1: `share` where each is 0 or 1, else `mean` with its ends kept between 0 and 1."""
    if all(s in (0, 1) for s in scores):
        return share([s > 0.5 for s in scores], confidence, clusters)
    e = mean(scores, confidence, clusters)
    return Estimate(e.value, max(0.0, e.low), min(1.0, e.high), e.n)


def quantile(values: Sequence[float], q: float) -> float:
    """The q-quantile of some values, interpolated between neighbours."""
    return float(np.quantile(np.asarray(values, dtype=float), q)) if values else 0.0


def quantile_interval(
    values: Sequence[float], q: float, confidence: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """Bootstrap interval of a quantile (percentile, 2,000 resamples; Efron 1979)."""
    data = np.asarray(values, dtype=float)
    if data.size < 2:
        return (float(data[0]), float(data[0])) if data.size else (0.0, 0.0)
    rng = np.random.default_rng(seed)
    found = np.quantile(data[rng.integers(0, data.size, (2000, data.size))], q, axis=1)
    low, high = np.quantile(found, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
