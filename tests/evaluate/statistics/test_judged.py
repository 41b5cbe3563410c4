from __future__ import annotations

import numpy as np
import pytest

from luodi.evaluate.statistics.judged import Counts, rogan_gladen


def test_a_perfect_judge_changes_little() -> None:
    found = rogan_gladen([Counts(30, 100, 1000, 1000, 0, 1000)])
    assert found.value == pytest.approx(0.3) and 0.2 < found.low < 0.25 and 0.36 < found.high < 0.41


def test_a_judge_that_misses_half() -> None:
    found = rogan_gladen([Counts(200, 1000, 50, 100, 0, 100)])
    assert found.value == pytest.approx(0.4)
    assert found.high - found.low > 2 * (0.225 - 0.175), "a hundred labels leave much open"


@pytest.mark.parametrize("counts", [(50, 100, 50, 100), (30, 100, 60, 100)])
def test_a_judge_that_tells_nothing_apart_leaves_all_open(counts: tuple[int, int, int, int]) -> None:
    found = rogan_gladen([Counts(50, 100, *counts)])
    assert found.low < 0.05 and found.high > 0.95
    assert rogan_gladen([Counts(5, 10, 0, 0, 1, 10)]).high > 0.95
    assert rogan_gladen([]).n == 0


def test_languages_are_corrected_one_by_one() -> None:
    """In one half the judge sees everything, in the other every second: 0.2 and 0.4 seen are 0.2 and 0.8."""
    one, other = Counts(100, 500, 500, 500, 0, 500), Counts(200, 500, 250, 500, 0, 500)
    assert rogan_gladen([one, other]).value == pytest.approx(0.5)
    half = rogan_gladen([one, Counts(200, 500, 0, 0, 0, 0)])
    assert half.high - half.low > 0.4, "no labels in one of two languages leave half of it open"


def test_the_interval_covers_with_labels_drawn_too() -> None:
    rng = np.random.default_rng(6)
    covered, plain = 0, 0
    for n in range(400):
        truth = rng.random(400) < 0.25
        flagged = int(np.where(truth, rng.random(400) < 0.8, rng.random(400) < 0.1).sum())
        labels = (int(rng.binomial(80, 0.8)), 80, int(rng.binomial(80, 0.1)), 80)
        found = rogan_gladen([Counts(flagged, 400, *labels)], seed=n)
        covered += found.low <= 0.25 <= found.high
        plain += abs(flagged / 400 - 0.25) < 1.96 * (0.25 * 0.75 / 400) ** 0.5
    assert 0.92 <= covered / 400 <= 0.985 and plain / 400 < 0.9
