"""How many items decide."""

from __future__ import annotations

import math
from statistics import NormalDist

NEVER = 10**9


def items_needed(spread: float, margin: float, confidence: float = 0.95, power: float = 0.8) -> int:
    """Items for which a difference of 0 with standard deviation `spread` is shown to be within `margin`."""
    if margin <= 0:
        return NEVER
    z = NormalDist().inv_cdf(confidence) + NormalDist().inv_cdf(power)
    return max(2, math.ceil((z * spread / margin) ** 2))


def items_for_share(p: float, bound: float, confidence: float = 0.95, power: float = 0.8) -> int:
    """Items for which a true share `p` is shown to be on its side of `bound`, one-sided."""
    if p == bound:
        return NEVER
    a, b = NormalDist().inv_cdf(confidence), NormalDist().inv_cdf(power)
    root = a * math.sqrt(bound * (1 - bound)) + b * math.sqrt(p * (1 - p))
    return max(2, math.ceil((root / (p - bound)) ** 2))
