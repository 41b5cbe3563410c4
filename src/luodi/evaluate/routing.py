"""A router between a small and a large model: learned from answers of both that were scored, and scored off line.

What is predicted is how much better the large model's answer would be. The small one answers where that is little.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from luodi.evaluate.statistics import paired_difference
from luodi.knowledge import Hit

FILE = "route.json"
FEATURES = (
    "words", "numbers", "is_chinese", "asks_how", "asks_why", "passages", "best_score", "gap", "passage_words",
    "covered",
)  # fmt: skip
_FOLDS = 5
_PENALTIES = (1.0, 10.0, 100.0, 1000.0)
Vector = NDArray[np.float64]


def features(question: str, hits: Sequence[Hit], language: str) -> list[float]:
    """What is known of a call before a model is chosen; in the order of `FEATURES`."""
    lower = question.lower()
    chinese = language == "zh"
    words = lower.split() if not chinese else list(lower)
    scores = [h.score for h in hits]
    best = scores[0] if scores else 0.0
    text = hits[0].chunk.text.lower() if hits else ""
    content = [w.strip("?.,!\"'`") for w in words if len(w) > 3] if not chinese else words
    return [
        math.log1p(len(words)),
        float(sum(c.isdigit() for c in question)),
        float(chinese),
        float("how" in words[:3] or "怎" in question or "如何" in question),
        float("why" in words[:3] or "为什么" in question),
        float(len(hits)),
        best,
        best - scores[1] if len(scores) > 1 else best,
        math.log1p(len(text.split()) if not chinese else len(text)),
        sum(w in text for w in content) / len(content) if content else 0.0,
    ]


@dataclass(frozen=True, slots=True)
class Scored:
    """One question: its features, what each answer was worth (0 to 1) and what it cost in USD."""

    features: tuple[float, ...]
    small: float
    large: float
    small_usd: float
    large_usd: float


@dataclass(frozen=True, slots=True)
class Router:
    """A linear prediction of what the large model's answer is worth above the small one's.

    `threshold`: the small model answers where no more is predicted; -inf: never, inf: always.
    """

    mean: tuple[float, ...]
    scale: tuple[float, ...]
    weights: tuple[float, ...]
    bias: float
    threshold: float
    small_usd: float  # of an answer on average
    large_usd: float

    def gain(self, values: Sequence[float]) -> float:
        """What the large model is predicted to add to the answer's worth."""
        total = self.bias
        for value, mean, scale, weight in zip(values, self.mean, self.scale, self.weights, strict=True):
            total += weight * (value - mean) / scale
        return total

    def as_dict(self) -> dict[str, Any]:
        ends = {math.inf: "always small", -math.inf: "always large"}
        return {
            "features": list(FEATURES), "mean": self.mean, "scale": self.scale, "weights": self.weights,
            "bias": self.bias, "threshold": ends.get(self.threshold, self.threshold), "small_usd": self.small_usd,
            "large_usd": self.large_usd,
        }  # fmt: skip

    @classmethod
    def of(cls, kept: dict[str, Any]) -> Router:
        """Raises: ValueError if it was learned with other features."""
        if tuple(kept["features"]) != FEATURES:
            raise ValueError("the router was learned with other features")
        ends = {"always small": math.inf, "always large": -math.inf}
        threshold = kept["threshold"]
        mean, scale, weights = (tuple(kept[name]) for name in ("mean", "scale", "weights"))
        at = ends[threshold] if isinstance(threshold, str) else float(threshold)
        return cls(mean, scale, weights, kept["bias"], at, kept["small_usd"], kept["large_usd"])


@dataclass(frozen=True, slots=True)
class Point:
    """One place on the curve. The difference is to the large model alone, question by question."""

    threshold: float
    share_small: float
    quality: float
    usd: float
    difference: float
    low: float
    high: float

    def as_dict(self) -> dict[str, Any]:
        found = {name: getattr(self, name) for name in self.__slots__}
        return found | {"threshold": self.threshold if math.isfinite(self.threshold) else None}


def _fit(x: Vector, y: Vector, penalty: float) -> tuple[Vector, Vector, Vector, float]:
    """Ridge regression on standardised features: (mean, scale, weights, bias)."""
    mean, scale = x.mean(axis=0), x.std(axis=0)
    scale = np.where(scale > 1e-9, scale, 1.0)
    z = (x - mean) / scale
    bias = float(y.mean())
    weights = np.linalg.solve(z.T @ z + penalty * np.eye(z.shape[1]), z.T @ (y - bias))
    return mean, scale, weights, bias


def _held_out(x: Vector, y: Vector, penalty: float, groups: Vector) -> Vector:
    """Predictions for each question by a fit that has not seen its group."""
    out = np.zeros(len(y))
    for fold in range(_FOLDS):
        there = groups % _FOLDS == fold
        if there.all() or not there.any():
            continue
        mean, scale, weights, bias = _fit(x[~there], y[~there], penalty)
        out[there] = (x[there] - mean) / scale @ weights + bias
    return out


def learn(
    scored: Sequence[Scored], groups: Sequence[int], margin: float, confidence: float = 0.95
) -> tuple[Router, list[Point]]:
    """A router, and its curve of cost against quality from predictions on held-out questions.

    The threshold is the one that saves most among those whose answers are, with `confidence`, worth at most `margin`
    less than the large model's alone. Where none is, the large model answers everything.

    Args:
        groups: questions with one number stand in the same fold, e.g. a question and its twin.
        margin: worth between 0 and 1 that may be lost on average.

    Raises:
        ValueError: fewer than 20 questions.
    """
    if len(scored) < 20:
        raise ValueError(f"{len(scored)} questions are too few to learn a route from; 20 are needed")
    x = np.array([s.features for s in scored])
    small, large = (np.array([getattr(s, name) for s in scored]) for name in ("small", "large"))
    y = large - small
    numbers = np.asarray(groups)

    def loss(penalty: float) -> float:
        return float(((_held_out(x, y, penalty, numbers) - y) ** 2).mean())

    penalty = min(_PENALTIES, key=loss)
    predicted = _held_out(x, y, penalty, numbers)
    curve = [_point(scored, predicted, t, confidence) for t in _thresholds(predicted)]
    good = [p for p in curve if p.low >= -margin]
    best = min(good, key=lambda p: (p.usd, -p.quality), default=curve[0])
    mean, scale, weights, bias = _fit(x, y, penalty)
    costs = [sum(getattr(s, name) for s in scored) / len(scored) for name in ("small_usd", "large_usd")]
    parts = [tuple(float(x) for x in v) for v in (mean, scale, weights)]
    return Router(parts[0], parts[1], parts[2], bias, best.threshold, costs[0], costs[1]), curve


def _thresholds(predicted: Vector) -> list[float]:
    """From never small to always small, a twentieth of the questions at a time."""
    inner = {float(q) for q in np.quantile(predicted, np.linspace(0.05, 0.95, 19))}
    return [-math.inf, *sorted(inner), math.inf]


def _point(scored: Sequence[Scored], predicted: Vector, threshold: float, confidence: float) -> Point:
    takes_small = predicted <= threshold
    return _measured(scored, takes_small.tolist(), threshold, confidence)


def _measured(scored: Sequence[Scored], takes_small: Sequence[bool], threshold: float, confidence: float) -> Point:
    quality = [s.small if use else s.large for s, use in zip(scored, takes_small, strict=True)]
    usd = sum(s.small_usd if use else s.large_usd for s, use in zip(scored, takes_small, strict=True))
    d = paired_difference(quality, [s.large for s in scored], confidence)
    n = len(scored)
    return Point(threshold, sum(takes_small) / n, sum(quality) / n, usd / n, d.value, d.low, d.high)


def oracle(scored: Sequence[Scored], confidence: float = 0.95) -> Point:
    """The small model wherever its answer was worth as much: what no router can beat."""
    return _measured(scored, [s.small >= s.large for s in scored], math.nan, confidence)
