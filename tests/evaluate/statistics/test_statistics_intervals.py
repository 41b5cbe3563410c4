from __future__ import annotations

import math

import numpy as np
import pytest

from luodi.evaluate.statistics import (
    exact_share,
    items_needed,
    mean,
    paired_difference,
    quantile,
    quantile_interval,
    share,
    share_of,
)


@pytest.mark.parametrize(("draw", "truth"), [("normal", 0.0), ("exponential", 1.0), ("beta", 0.6)])
def test_the_interval_of_a_mean_covers_the_truth(draw: str, truth: float) -> None:
    """Of 200 samples of 60 items, the 95 % interval holds the true mean in 89 to 99 % (binomial noise of 200)."""
    rng = np.random.default_rng(7)
    samples = {
        "normal": lambda: rng.normal(0, 1, 60),
        "exponential": lambda: rng.exponential(1, 60),
        "beta": lambda: rng.beta(3, 2, 60),
    }
    found = [mean(samples[draw]().tolist()) for _ in range(200)]
    covered = sum(e.low <= truth <= e.high for e in found) / 200
    assert 0.89 <= covered <= 0.99


def test_mean() -> None:
    estimate = mean([0.0, 1.0] * 50)
    assert (estimate.value, estimate.n) == (0.5, 100)
    assert estimate.low == pytest.approx(0.4, abs=0.02) and estimate.high == pytest.approx(0.6, abs=0.02)
    assert mean([1, 2, 3]) == mean([1, 2, 3]), "the same every time"
    assert mean([]).n == 0
    narrow, wide = mean([0, 1] * 50, confidence=0.8), mean([0, 1] * 50, confidence=0.99)
    assert wide.low < narrow.low < narrow.high < wide.high


def test_pairing_takes_out_what_the_items_differ_by() -> None:
    rng = np.random.default_rng(3)
    items = rng.normal(0, 10, 50)
    new, old = (items + 0.5 + rng.normal(0, 0.1, 50)).tolist(), items.tolist()
    paired = paired_difference(new, old)
    assert 0.4 < paired.low < 0.5 < paired.high < 0.6
    assert mean(new).high - mean(new).low > 20 * (paired.high - paired.low)
    with pytest.raises(ValueError, match="50 and 49"):
        paired_difference(new, old[1:])


def test_items_needed_are_enough() -> None:
    """With so many items a true difference of 0 is shown to be within the margin in about 80 % of the tries."""
    n = items_needed(spread=1.0, margin=0.3)
    assert n == 69
    rng = np.random.default_rng(5)
    shown = sum(rng.normal(0, 1, n).mean() - 1.645 / n**0.5 >= -0.3 for _ in range(2000)) / 2000
    assert 0.77 <= shown <= 0.83
    assert items_needed(0.0, 0.1) == 2 and items_needed(1.0, 0.0) >= 10**9


def test_share() -> None:
    none, all_ = share([False] * 20), share([True] * 20)
    assert (none.value, none.low) == (0.0, pytest.approx(0.0, abs=1e-12)) and none.high > 0.1
    assert (all_.value, all_.high) == (1.0, pytest.approx(1.0, abs=1e-12)) and all_.low < 0.9
    assert share([]).n == 0


def test_quantiles() -> None:
    values = list(range(101))
    assert [quantile(values, q) for q in (0.0, 0.5, 0.95, 1.0)] == [0, 50, 95, 100]
    low, high = quantile_interval([float(v) for v in values], 0.5)
    assert 35 < low < 50 < high < 65
    assert (
        quantile([], 0.5) == 0.0
        and quantile_interval([], 0.5) == (0.0, 0.0)
        and quantile_interval([3.0], 0.9) == (3.0, 3.0)
    )


@pytest.mark.parametrize(
    ("k", "n", "bound", "met"),
    [(916, 1000, 0.90, True), (915, 1000, 0.90, False), (292, 300, 0.95, True), (291, 300, 0.95, False)],
)
def test_the_counts_of_gb_45654(k: int, n: int, bound: float, met: bool) -> None:
    """One-sided at 95 % is the lower end of a 90 % interval. That at most 5 % are refused is the same, mirrored."""
    assert (share_of(k, n, 0.9).low >= bound) is met
    assert (share_of(n - k, n, 0.9).high <= 1 - bound + 1e-12) is met


def test_the_exact_interval() -> None:
    """Rule of three; the known interval of 8 of 20; and no less than 95 % covered where Wilson's dips below."""
    assert exact_share(0, 300, 0.9).high == pytest.approx(1 - 0.05 ** (1 / 300))
    e = exact_share(8, 20)
    assert (e.low, e.high) == (pytest.approx(0.1912, abs=1e-4), pytest.approx(0.6395, abs=1e-4))
    assert (exact_share(0, 0).low, exact_share(0, 0).high) == (0.0, 1.0)
    n, p = 50, 0.02
    chances = [math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)]
    covered = sum(c for k, c in enumerate(chances) if exact_share(k, n).low <= p <= exact_share(k, n).high)
    assert covered >= 0.95


def test_clusters_widen() -> None:
    """Ten answers of ten sentences each that agree among themselves are ten items and not a hundred."""
    hits = [n % 2 == 0 for n in range(10) for _ in range(10)]
    clusters = [n for n in range(10) for _ in range(10)]
    alone, together, ten = share(hits), share(hits, clusters=clusters), share(hits[::10])
    assert together.high - together.low > 2.5 * (alone.high - alone.low)
    assert together.low < ten.low, "and the spread of ten is badly known"
    assert share([True] * 100, clusters=clusters).low < share([True] * 100).low
    scores = [float(h) + 0.5 for h in hits]
    assert mean(scores, clusters=clusters).low < mean(scores).low
    same = [float(n) for n in range(40)]
    assert mean(same, clusters=range(40)).low == pytest.approx(mean(same).low)
    with pytest.raises(ValueError, match="3 items have 2 clusters"):
        share([True, True, False], clusters=[1, 2])


def test_clustered_intervals_cover() -> None:
    rng = np.random.default_rng(2)
    covered = 0
    for _ in range(400):
        p = rng.beta(8, 2, 30)
        hits = rng.random((30, 6)) < p[:, None]
        e = share(hits.ravel().tolist(), clusters=np.repeat(np.arange(30), 6).tolist())
        covered += e.low <= 0.8 <= e.high
    assert 0.92 <= covered / 400 <= 0.985
