"""The intervals hold at every look: simulated experiments that are looked at again and again."""

from __future__ import annotations

from math import exp, log

import numpy as np
import pytest

from luodi.gateway.experiment.sequential import Tally, compare_means, compare_rates, rate_interval

ALPHA = 0.05


def test_an_interval_of_nothing_says_nothing() -> None:
    assert rate_interval(Tally(), ALPHA) == (0.0, 1.0)


@pytest.mark.parametrize("n", [1, 10, 100, 1000, 100_000])
def test_no_event_and_only_events(n: int) -> None:
    low, high = rate_interval(Tally(n, 0.0), ALPHA)
    assert low == 0.0 and 0 < high < 1.0 and high > min(0.9, 3 / n), "no narrower than the rule of three"
    mirrored = rate_interval(Tally(n, float(n)), ALPHA)
    assert mirrored[1] == 1.0 and mirrored[0] == pytest.approx(1 - high, abs=1e-9)


def test_intervals_shrink_and_hold_their_mean() -> None:
    widths = []
    for n in (50, 500, 5000, 50_000):
        low, high = rate_interval(Tally(n, n * 0.1), ALPHA)
        assert low < 0.1 < high
        widths.append(high - low)
    assert widths == sorted(widths, reverse=True) and widths[-1] < 0.02


def rates(seed: int, looks: int, step: int, a: float, b: float, bounded: bool) -> tuple[bool, int]:
    """Whether the candidate was ever called worse, and at how many calls."""
    rng = np.random.default_rng(seed)
    x, y = (rng.random((looks, step)) < p for p in (a, b))
    values = [v * 1.0 for v in (x, y)]
    if bounded:  # the same means, spread out between 0 and 1
        values = [rng.beta(5 * p, 5 * (1 - p), (looks, step)) for p in (a, b)]
    sums = [np.cumsum(v.sum(axis=1)) for v in values]
    for look in range(looks):
        n = (look + 1) * step
        if compare_rates(Tally(n, float(sums[0][look])), Tally(n, float(sums[1][look])), ALPHA).low > 0:
            return True, n
    return False, looks * step


@pytest.mark.parametrize(("p", "bounded"), [(0.01, False), (0.2, False), (0.3, True)])
def test_equal_rates_are_seldom_told_apart_however_often_one_looks(p: float, bounded: bool) -> None:
    false = sum(rates(seed, 60, 40, p, p, bounded)[0] for seed in range(60))
    assert false <= 3, "of 60 experiments with 60 looks each; at most 5 per cent are allowed"


def test_a_release_that_fails_is_found_soon() -> None:
    stops = [rates(seed, 60, 20, 0.3, 0.02, False) for seed in range(20)]
    assert all(found for found, _ in stops) and np.median([n for _, n in stops]) <= 120


def means(seed: int, looks: int, step: int, ratio: float) -> bool:
    rng = np.random.default_rng(seed)
    a, b = (rng.lognormal(log(200 * r), 0.5, (looks, step)) for r in (ratio, 1.0))
    for look in range(looks):
        mine, base = (np.log(v[: look + 1]).ravel() for v in (a, b))
        tallies = [Tally(len(v), float(v.sum()), float((v * v).sum())) for v in (mine, base)]
        if compare_means(*tallies, ALPHA).low > 0:
            return True
    return False


def test_equal_latencies_and_slower_ones() -> None:
    assert sum(means(seed, 50, 40, 1.0) for seed in range(60)) <= 3
    assert all(means(seed, 50, 40, 1.3) for seed in range(20))


def test_few_calls_say_nothing_of_latency() -> None:
    quick, slow = Tally(99, 99 * log(10), 99 * log(10) ** 2), Tally(5000, 5000 * log(9), 5000 * log(9) ** 2)
    assert compare_means(quick, slow, ALPHA).low == -float("inf")
    assert exp(quick.mean) == pytest.approx(10)
