from __future__ import annotations

import numpy as np
import pytest

from luodi.evaluate.statistics import items_needed, mean, paired_difference, quantile, quantile_interval, share


@pytest.mark.parametrize(("draw", "truth"), [("normal", 0.0), ("exponential", 1.0), ("beta", 0.6)])
def test_the_interval_of_a_mean_covers_the_truth(draw: str, truth: float) -> None:
    """Of 200 samples of 60 items, the 95 % interval holds the true mean in 89 to 99 % (binomial noise of 200)."""
    rng = np.random.default_rng(7)
    samples = {
        "normal": lambda: rng.normal(0, 1, 60),
        "exponential": lambda: rng.exponential(1, 60),
        "beta": lambda: rng.beta(3, 2, 60),
    }
    found = [mean(samples[draw]().tolist(), seed=n) for n in range(200)]
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
