"""Two models on the same items: the difference, and whether one is not worse by more than a margin."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from luodi.errors import require
from luodi.evaluate.statistics.intervals import Array, Estimate, mean, spread, t_quantile
from luodi.evaluate.statistics.power import NEVER, items_needed


def paired_difference(
    new: Sequence[float], old: Sequence[float], confidence: float = 0.95, clusters: Sequence[Hashable] | None = None
) -> Estimate:
    """Mean of new − old over the same items. Pairing takes out what the items themselves differ by.

    Raises:
        ValueError: the two are not of one length.
    """
    return mean(_differences(new, old).tolist(), confidence, clusters)


def _differences(new: Sequence[float], old: Sequence[float]) -> Array:
    if len(new) != len(old):
        raise ValueError(f"{len(new)} and {len(old)} items can't be paired")
    difference: Array = np.asarray(new, float) - np.asarray(old, float)
    return difference


@dataclass(frozen=True, slots=True)
class NonInferiority:
    """Whether new is worse than old by less than a margin.

    Attributes:
        difference: mean of new − old, where more is better.
        low: what it is at least, one-sided at the confidence asked for.
        high: what it is at most, likewise.
        p: of the hypothesis that new is worse by the margin or more.
        n: pairs.
        needed: pairs that show it with 80 % power, if the two are equal and differ on items as often as here.
    """

    difference: float
    low: float
    high: float
    p: float
    n: int
    needed: int


def non_inferior(
    new: Sequence[float],
    old: Sequence[float],
    margin: float,
    confidence: float = 0.95,
    clusters: Sequence[Hashable] | None = None,
) -> NonInferiority:
    """Paired non-inferiority of scores between 0 and 1, where more is better.

    Scores of 0 and 1 that stand alone: Tango's score test (1998) with a continuity correction of half a pair, so that
    no more than 1 − confidence of the models that are worse by the margin pass. Others: Student's test on the
    differences, between clusters where there are some, with one more item that is lost entirely; without it a few bad
    losses that happen not to be drawn would go unseen.

    Raises:
        ValueError: no pairs, the two are not of one length, or a score lies outside 0 to 1.
    """
    d = _differences(new, old)
    n = len(d)
    if not n:
        raise ValueError("no items to compare on")
    if max(*new, *old) > 1 or min(*new, *old) < 0:
        raise ValueError("scores lie between 0 and 1")
    value = float(d.mean())
    # The worst that equal models may look like: at least one item differs.
    deviation = math.sqrt(max(float((d**2).mean()), 1 / (n + 1)))
    if clusters is None and set(np.unique(d)) <= {-1.0, 0.0, 1.0}:
        won, lost = int((d > 0).sum()), int((d < 0).sum())
        low = _tango_low(won, lost, n, confidence)
        high = -_tango_low(lost, won, n, confidence)
        p = 1 - NormalDist().cdf(_tango(won, lost, n, margin))
        return NonInferiority(value, low, high, p, n, items_needed(deviation, margin, confidence))
    special = require("scipy.special", extra="train")
    low_error, low_df, low_value = _with_one_more(d, clusters, -1.0)
    high_error, high_df, high_value = _with_one_more(d, clusters, 1.0)
    low = low_value - t_quantile(low_df, confidence) * low_error
    high = high_value + t_quantile(high_df, confidence) * high_error
    p = float(special.stdtr(low_df, -(low_value + margin) / low_error))
    if clusters is not None:
        deviation = max(deviation, spread(d, clusters)[0] * math.sqrt(n))
    needed = items_needed(deviation, margin, confidence) if margin > 0 else NEVER
    return NonInferiority(value, max(-1.0, low), min(1.0, high), p, n, needed)


def _with_one_more(d: Array, clusters: Sequence[Hashable] | None, item: float) -> tuple[float, int, float]:
    """(standard error, degrees of freedom, mean) with one item added, in a cluster of its own."""
    more = np.append(d, item)
    error, df = spread(more, None if clusters is None else [*clusters, object()])
    return error, df, float(more.mean())


def _tango(won: int, lost: int, n: int, margin: float) -> float:
    """The score statistic of "worse by `margin`", with half a pair taken off."""
    delta = -margin
    b = -won - lost + (2 * n - won + lost) * delta
    c = -lost * delta * (1 - delta)
    q = (math.sqrt(max(0.0, b * b - 8 * n * c)) - b) / (4 * n)
    variance = n * (2 * q + delta * (1 - delta))
    return (won - lost - n * delta - 0.5) / math.sqrt(variance) if variance > 0 else math.inf


def _tango_low(won: int, lost: int, n: int, confidence: float) -> float:
    """The lowest difference that is not refused, by bisection."""
    z, low, high = NormalDist().inv_cdf(confidence), -1.0, (won - lost) / n
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if _tango(won, lost, n, -middle) > z else (low, middle)
    return low
