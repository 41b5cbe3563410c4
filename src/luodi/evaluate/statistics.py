"""Intervals of means and of paired differences, and how many items a comparison needs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from luodi.pipeline.intervals import wilson

_RESAMPLES = 10_000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean with its interval."""

    value: float
    low: float
    high: float
    n: int


def share(hits: Sequence[bool], confidence: float = 0.95) -> Estimate:
    """A share with Wilson's interval, which stays honest near 0 and 1."""
    k, n = sum(hits), len(hits)
    low, high = wilson(k, n, confidence)
    return Estimate(k / n if n else 0.0, low, high, n)


def mean(values: Sequence[float], confidence: float = 0.95, seed: int = 0) -> Estimate:
    """A mean with a bootstrap interval (percentile, 10,000 resamples; Efron 1979)."""
    data = np.asarray(values, dtype=float)
    if data.size == 0:
        return Estimate(0.0, 0.0, 0.0, 0)
    if data.size == 1 or np.ptp(data) == 0:
        # Resampling equal values says nothing of the spread; the interval is then the value itself, so a gate on
        # such a mean needs enough items. Shares take `share`, which stays honest here.
        return Estimate(float(data.mean()), float(data.mean()), float(data.mean()), int(data.size))
    rng = np.random.default_rng(seed)
    means = data[rng.integers(0, data.size, (_RESAMPLES, data.size))].mean(axis=1)
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return Estimate(float(data.mean()), float(low), float(high), int(data.size))


def paired_difference(new: Sequence[float], old: Sequence[float], confidence: float = 0.95, seed: int = 0) -> Estimate:
    """Mean of new − old over the same items. Pairing takes out what the items themselves differ by.

    Raises:
        ValueError: the two are not of one length.
    """
    if len(new) != len(old):
        raise ValueError(f"{len(new)} and {len(old)} items can't be paired")
    return mean([a - b for a, b in zip(new, old, strict=True)], confidence, seed)


def items_needed(spread: float, margin: float, confidence: float = 0.95, power: float = 0.8) -> int:
    """Items for which a difference of 0 with standard deviation `spread` is shown to be within `margin`."""
    if margin <= 0:
        return 10**9
    z = NormalDist().inv_cdf(confidence) + NormalDist().inv_cdf(power)
    return max(2, math.ceil((z * spread / margin) ** 2))


def quantile(values: Sequence[float], q: float) -> float:
    """The q-quantile of some values, interpolated between neighbours."""
    return float(np.quantile(np.asarray(values, dtype=float), q)) if values else 0.0


def quantile_interval(
    values: Sequence[float], q: float, confidence: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """Bootstrap interval of a quantile."""
    data = np.asarray(values, dtype=float)
    if data.size < 2:
        return (float(data[0]), float(data[0])) if data.size else (0.0, 0.0)
    rng = np.random.default_rng(seed)
    found = np.quantile(data[rng.integers(0, data.size, (2000, data.size))], q, axis=1)
    low, high = np.quantile(found, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
