"""Intervals of a share, for stages that count. The statistics of gates are in `evaluate`."""

from __future__ import annotations

import math
from statistics import NormalDist


def wilson(k: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of `k` out of `n` (Wilson 1927); (0, 1) if nothing was seen."""
    if n == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    p = k / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    # At the ends the formula gives 0 and 1 but for rounding.
    return 0.0 if k == 0 else max(0.0, centre - half), 1.0 if k == n else min(1.0, centre + half)


def clopper_pearson_upper(k: int, n: int, confidence: float = 0.95) -> float:
    """The exact one-sided upper bound of a share (Clopper and Pearson 1934), by bisection of the binomial tail.

    Terms are exponentials of logarithms: the binomial coefficients alone pass a float's range from n = 1030 on.
    """
    if n == 0 or k >= n:
        return 1.0
    ways = [math.lgamma(n + 1) - math.lgamma(i + 1) - math.lgamma(n - i + 1) for i in range(k + 1)]
    low, high = k / n, 1.0
    for _ in range(60):
        p = (low + high) / 2
        if p in (0.0, 1.0):
            break
        log_p, log_q = math.log(p), math.log1p(-p)
        tail = math.fsum(math.exp(w + i * log_p + (n - i) * log_q) for i, w in enumerate(ways))
        low, high = (p, high) if tail > 1 - confidence else (low, p)
    return high
