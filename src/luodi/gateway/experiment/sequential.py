"""Comparing two releases while calls come in: intervals that hold at every look, however often one looks.

Rates, and any measure between 0 and 1: a confidence sequence of each arm by a Beta mixture (Robbins 1970; for bounded
measures by convexity, Waudby-Smith & Ramdas 2023, section 3), exact from the first call on, at zero events too.
Latencies, as logarithms: the normal mixture of the difference (Johari, Koomen, Pekelis & Walsh 2022), which is
asymptotic: below `ENOUGH` calls in either arm nothing is said.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, lgamma, log, sqrt

ENOUGH = 100
_PRIOR = 0.5  # of the Beta mixture: much weight near 0 and 1, where rates of failure lie
_SCALE = 0.1  # a difference in log-latency that is worth being seen early: ten per cent


@dataclass(frozen=True, slots=True)
class Tally:
    """Of one measure: how many calls, the sum of their values, and of their squares."""

    n: int = 0
    total: float = 0.0
    squares: float = 0.0

    @property
    def mean(self) -> float:
        return self.total / self.n if self.n else 0.0

    @property
    def variance(self) -> float:
        if self.n < 2:
            return 0.0
        return max(0.0, (self.squares - self.total * self.total / self.n) / (self.n - 1))


@dataclass(frozen=True, slots=True)
class Interval:
    """Where the candidate's mean less the base's lies, at every look, but for a share alpha of all experiments."""

    low: float
    high: float
    difference: float


def rate_interval(tally: Tally, alpha: float) -> tuple[float, float]:
    """(low, high) of a measure between 0 and 1; holds at all n at once with probability 1 - alpha."""
    n, total = tally.n, min(max(tally.total, 0.0), float(tally.n))
    if n == 0:
        return 0.0, 1.0
    rest = n - total
    # log of the mixture's likelihood; an interval's ends are where its ratio to that of p reaches 1/alpha.
    mixture = lgamma(total + _PRIOR) + lgamma(rest + _PRIOR) - lgamma(n + 2 * _PRIOR)
    mixture += lgamma(2 * _PRIOR) - 2 * lgamma(_PRIOR)
    bound = log(1 / alpha)

    def outside(p: float) -> bool:
        own = (total * log(p) if total else 0.0) + (rest * log(1 - p) if rest else 0.0)
        return mixture - own >= bound

    mean = total / n
    return _edge(outside, mean, 0.0), _edge(outside, mean, 1.0)


def _edge(outside: Callable[[float], bool], inside: float, end: float) -> float:
    """The place between `inside` and `end` where `outside` begins; `end` if it never does."""
    tiny = 1e-12
    far = min(max(end, tiny), 1 - tiny)
    near = min(max(inside, tiny), 1 - tiny)
    if not outside(far):
        return end
    for _ in range(50):
        middle = (near + far) / 2
        if outside(middle):
            far = middle
        else:
            near = middle
    return far  # the side that is surely outside: never too narrow


def compare_rates(candidate: Tally, base: Tally, alpha: float) -> Interval:
    """Each arm has half of alpha."""
    low, high = rate_interval(candidate, alpha / 2)
    base_low, base_high = rate_interval(base, alpha / 2)
    return Interval(low - base_high, high - base_low, candidate.mean - base.mean)


def compare_means(candidate: Tally, base: Tally, alpha: float) -> Interval:
    """For measures without bounds. Nothing is said while either arm has less than `ENOUGH` calls."""
    difference = candidate.mean - base.mean
    if min(candidate.n, base.n) < ENOUGH:
        return Interval(-inf, inf, difference)
    v = candidate.variance / candidate.n + base.variance / base.n
    if v <= 0:
        return Interval(difference, difference, difference)
    t = _SCALE * _SCALE
    half = sqrt(v * (v + t) / t * (2 * log(1 / alpha) + log((v + t) / v)))
    return Interval(difference - half, difference + half, difference)
