from __future__ import annotations

import numpy as np
import pytest

from luodi.evaluate.statistics import items_for_share, items_needed, non_inferior, share_of
from luodi.evaluate.statistics.pairs import _tango, _tango_low


def drawn(rng: np.random.Generator, n: int, won: float, lost: float) -> tuple[list[float], list[float]]:
    kind = rng.choice(3, n, p=[won, lost, 1 - won - lost])
    old = np.where(kind == 0, 0.0, np.where(kind == 1, 1.0, (rng.random(n) < 0.7).astype(float)))
    new = np.where(kind == 0, 1.0, np.where(kind == 1, 0.0, old))
    return new.tolist(), old.tolist()


@pytest.mark.parametrize(("n", "margin", "differ"), [(50, 0.05, 0.12), (500, 0.02, 0.06), (500, 0.02, 0.03)])
def test_no_more_than_5_percent_pass_that_are_worse_by_the_margin(n: int, margin: float, differ: float) -> None:
    rng = np.random.default_rng(1)
    draws = rng.multinomial(n, [(differ - margin) / 2, (differ + margin) / 2, 1 - differ], 4000)
    passed = np.mean([_tango(int(w), int(lo), n, margin) > 1.6449 for w, lo, _ in draws])
    assert 0.005 < passed <= 0.055  # 0.05 and the noise of 4,000


def test_scores_that_are_no_shares_hold_the_level_too() -> None:
    """A few bad losses among many small gains: Student's test alone would let 9 to 20 % through."""
    rng = np.random.default_rng(3)
    passed = 0
    for _ in range(1000):
        old = rng.uniform(0.3, 0.9, 100)
        bad = rng.random(100) < 0.1
        new = np.where(bad, old - 0.3, old + rng.normal(0.03 - 0.05 / 0.9, 0.01, 100) * (~bad) + 0.0)
        margin = 0.1 * 0.3 + 0.9 * -(0.03 - 0.05 / 0.9)
        passed += non_inferior(new.clip(0, 1), old, margin).low >= -margin
    assert passed / 1000 <= 0.06


def test_the_bound_and_the_p_value_say_the_same() -> None:
    rng = np.random.default_rng(5)
    for won, lost in ((0.03, 0.03), (0.02, 0.06), (0.0, 0.0)):
        new, old = drawn(rng, 300, won, lost)
        for margin in (0.01, 0.03, 0.08):
            found = non_inferior(new, old, margin)
            assert (found.low > -margin) == (found.p < 0.05)
            assert found.low <= found.difference <= found.high
    values = rng.uniform(0.2, 0.8, (2, 80))
    found = non_inferior(*values.tolist(), 0.1)
    assert (found.low > -0.1) == (found.p < 0.05)


def test_equal_answers_are_evidence_and_no_proof() -> None:
    five, many = non_inferior([1.0] * 5, [1.0] * 5, 0.02), non_inferior([1.0] * 400, [1.0] * 400, 0.02)
    assert five.difference == 0 and five.low < -0.3 and five.needed > 5
    assert many.low > -0.02
    half = [0.5] * 5
    assert non_inferior(half, half, 0.02).low < -0.3


def test_a_mirror_image() -> None:
    assert _tango_low(7, 3, 100, 0.95) < 0.04 < -_tango_low(3, 7, 100, 0.95)
    won, lost = non_inferior([1, 1, 0] * 20, [0, 1, 0] * 20, 0.1), non_inferior([0, 1, 0] * 20, [1, 1, 0] * 20, 0.1)
    assert won.low == pytest.approx(-lost.high)


def test_clusters_count_once() -> None:
    new, old = [1.0] * 40 + [0.0] * 10 + [1.0] * 50, [1.0] * 100
    apart = non_inferior(new, old, 0.2)
    together = non_inferior(new, old, 0.2, clusters=[n // 10 for n in range(100)])
    assert together.low < apart.low and together.needed > apart.needed


def test_needed_is_enough() -> None:
    """With so many pairs equal models pass in about 80 % of the tries."""
    new, old = drawn(np.random.default_rng(7), 400, 0.03, 0.03)
    n = non_inferior(new, old, 0.02).needed
    assert 700 < n < 1200
    rng = np.random.default_rng(8)
    draws = rng.multinomial(930, [0.03, 0.03, 0.94], 2000)
    passed = np.mean([_tango(int(w), int(lo), 930, 0.02) > 1.6449 for w, lo, _ in draws])
    assert 0.75 <= passed <= 0.84


def test_items_for_a_share() -> None:
    n = items_for_share(0.92, 0.9)
    rng = np.random.default_rng(9)
    shown = np.mean([share_of(int(k), n, 0.9).low >= 0.9 for k in rng.binomial(n, 0.92, 2000)])
    assert 0.77 <= shown <= 0.83
    assert items_for_share(0.9, 0.9) >= 10**9 and items_needed(0.1, 0.0) >= 10**9


def test_what_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="3 and 2"):
        non_inferior([1, 1, 1], [1, 1], 0.1)
    with pytest.raises(ValueError, match="no items"):
        non_inferior([], [], 0.1)
    with pytest.raises(ValueError, match="between 0 and 1"):
        non_inferior([3.0], [2.0], 0.1)
