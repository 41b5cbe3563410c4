"""Probabilities that are ones: fitting, calibration error, and a promised share of wrong answers that is kept."""

from __future__ import annotations

import numpy as np
import pytest

from luodi.evaluate.calibration import auroc, control_risk, expected_calibration_error, fit_logistic, risk_curve
from luodi.pipeline.intervals import clopper_pearson_upper


def sample(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(features, true probabilities, outcomes)."""
    x = rng.normal(size=(n, 3)) * [1.0, 5.0, 0.1] + [0.0, 20.0, -3.0]
    p = 1 / (1 + np.exp(-(1.5 * x[:, 0] - 0.2 * (x[:, 1] - 20) + 0.3)))
    return x, p, (rng.random(n) < p).astype(float)


def test_fit_finds_what_made_the_data() -> None:
    x, p, y = sample(np.random.default_rng(1), 20_000)
    weights, bias = fit_logistic(x, y)
    fitted = 1 / (1 + np.exp(-(x @ weights + bias)))
    assert np.abs(fitted - p).mean() < 0.01
    assert weights[0] == pytest.approx(1.5, abs=0.1) and weights[1] == pytest.approx(-0.2, abs=0.02)


def test_fit_of_a_constant_column_and_of_one_class() -> None:
    x = np.ones((40, 2))
    weights, bias = fit_logistic(x, np.ones(40))
    assert np.isfinite(weights).all() and 1 / (1 + np.exp(-(x @ weights + bias)))[0] > 0.95


def test_calibration_error() -> None:
    _, p, y = sample(np.random.default_rng(2), 50_000)
    assert expected_calibration_error(p, y) < 0.02
    assert expected_calibration_error(np.clip(p + 0.2, 0, 1), y) > 0.1
    assert expected_calibration_error(np.array([0.9, 0.9]), np.array([1.0, 0.0]), bins=1) == pytest.approx(0.4)


def test_auroc_against_all_pairs() -> None:
    rng = np.random.default_rng(3)
    p, y = rng.integers(0, 5, 60) / 5.0, rng.integers(0, 2, 60).astype(float)
    pairs = [(a > b) + 0.5 * (a == b) for a in p[y == 1] for b in p[y == 0]]
    assert auroc(p, y) == pytest.approx(np.mean(pairs))
    assert auroc(p, np.ones(60)) == 0.5


def test_the_promise_is_kept_at_its_confidence() -> None:
    """Chosen on one sample and counted on the whole population: over the promised risk in at most a tenth of the runs."""
    broken = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        _, p, y = sample(rng, 600)
        threshold = control_risk(p, y, 0.1, 0.9)
        _, q, _ = sample(np.random.default_rng(10_000 + seed), 20_000)
        given = q >= threshold
        broken += bool(given.any() and (1 - q[given]).mean() > 0.1)
    assert broken <= 27  # 20 expected at most; 27 has less than 6 % at exactly a tenth


def test_no_threshold_where_none_keeps_it() -> None:
    y = np.tile([1.0, 0.0], 200)
    assert control_risk(np.linspace(0, 1, 400), y, 0.05) > 1
    assert control_risk([], [], 0.05) > 1
    assert control_risk(np.full(100, 0.7), np.ones(100), 0.05) == pytest.approx(0.7)
    assert control_risk(np.full(20, 0.7), np.ones(20), 0.05) > 1  # too few to show it


def test_curve() -> None:
    _, p, y = sample(np.random.default_rng(4), 500)
    curve = risk_curve(p, y, 0.9)
    assert curve[-1].answered == 1.0 and curve[-1].wrong == pytest.approx(1 - y.mean())
    assert all(r.upper >= r.wrong for r in curve)
    assert curve[-1].upper == pytest.approx(clopper_pearson_upper(int(500 - y.sum()), 500, 0.9))
    assert [r.threshold for r in curve] == sorted((r.threshold for r in curve), reverse=True)
