"""Fitting probabilities, and measuring whether they are any: calibration error, AUROC, risk control."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from luodi.pipeline.intervals import clopper_pearson_upper

Array = NDArray[np.float64]


def fit_logistic(x: Array, y: Array, ridge: float = 1.0) -> tuple[Array, float]:
    """(weights, bias) of a logistic regression with an L2 penalty on standardised features, by Newton's method."""
    centre, spread = x.mean(axis=0), x.std(axis=0)
    spread[spread == 0] = 1.0
    z = np.hstack([(x - centre) / spread, np.ones((len(x), 1))])
    penalty = np.eye(z.shape[1]) * ridge
    penalty[-1, -1] = 0.0
    w = np.zeros(z.shape[1])
    for _ in range(50):
        p = 1.0 / (1.0 + np.exp(-np.clip(z @ w, -40, 40)))
        gradient = z.T @ (p - y) + penalty @ w
        step = np.linalg.solve((z * (p * (1 - p))[:, None]).T @ z + penalty + 1e-9 * np.eye(len(w)), gradient)
        w -= step
        if np.abs(step).max() < 1e-8:
            break
    weights = w[:-1] / spread
    return weights, float(w[-1] - weights @ centre)


def expected_calibration_error(p: Array, y: Array, bins: int = 15) -> float:
    """Mean distance of stated from true share, over `bins` of equal size (Naeini et al. 2015, equal-mass)."""
    order = np.argsort(p, kind="stable")
    parts = [part for part in np.array_split(order, min(bins, len(p))) if len(part)]
    return float(sum(len(part) * abs(p[part].mean() - y[part].mean()) for part in parts) / max(1, len(p)))


def auroc(p: Array, y: Array) -> float:
    """How often a right one is given more than a wrong one (ties count half); 0.5 if there is only one kind."""
    right, wrong = p[y == 1], p[y == 0]
    if not len(right) or not len(wrong):
        return 0.5
    order = np.sort(wrong)
    below, upto = np.searchsorted(order, right, "left"), np.searchsorted(order, right, "right")
    return float((below + upto).sum() / 2 / (len(right) * len(wrong)))


@dataclass(frozen=True, slots=True)
class Risk:
    """At a threshold: the share that is answered, how many of those are wrong, and the upper bound of that."""

    threshold: float
    answered: float
    wrong: float
    upper: float

    def as_dict(self) -> dict[str, float]:
        return {"threshold": self.threshold, "answered": self.answered, "wrong": self.wrong, "upper": self.upper}


def risk_curve(p: Array, y: Array, level: float = 0.9, points: int = 40) -> list[Risk]:
    """From the surest on: what is answered and wrong at each of so many thresholds."""
    order = np.argsort(-p, kind="stable")
    wrong = np.cumsum(1 - y[order])
    out = []
    for n in np.unique(np.linspace(1, len(p), min(points, len(p))).astype(int)):
        k = int(wrong[n - 1])
        out.append(Risk(float(p[order[n - 1]]), n / len(p), k / n, clopper_pearson_upper(k, int(n), level)))
    return out


def control_risk(p: Sequence[float], y: Sequence[float], risk: float, level: float = 0.9) -> float:
    """The lowest threshold down to which, from the surest on, the upper bound of the share of wrong answers stays at or
    under `risk` at a one-sided confidence of `level`; above 1 if none does.

    Thresholds are tried in a fixed order, from the strictest on, until one first fails, so that trying many costs no
    confidence (fixed-sequence testing; Angelopoulos et al., Learn then Test, 2021).
    """
    chances, right = np.asarray(p, float), np.asarray(y, float)
    if not len(chances):
        return 1.01
    order = np.argsort(-chances, kind="stable")
    wrong = np.cumsum(1 - right[order])
    # The first that can pass at all: with no wrong one, so many answers are needed.
    enough = int(np.ceil(np.log(1 - level) / np.log(1 - risk)))
    best = 1.01
    step = max(1, len(chances) // 100)
    for n in range(enough, len(chances) + 1, step):
        if n < len(chances) and chances[order[n]] == chances[order[n - 1]]:
            continue  # a threshold does not part what is equal
        if clopper_pearson_upper(int(wrong[n - 1]), n, level) > risk:
            break
        best = float(chances[order[n - 1]])
    return best
