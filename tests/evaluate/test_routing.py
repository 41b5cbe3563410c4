"""Learning which questions the small model may answer, and what that is worth on questions held out."""

from __future__ import annotations

import math

import numpy as np
import pytest

from luodi.evaluate.routing import FEATURES, Router, Scored, features, learn, oracle
from luodi.knowledge import Hit
from luodi.knowledge.chunks import Chunk

HIT = Hit(Chunk(1, "r", "s", 0, "p.md", "Fields", "Set required=False on the field.", 0, 30, 1), 3.5)


def questions(n: int, *, hard: float, loss: float, seed: int = 0) -> list[Scored]:
    """Of which a share is hard, which the first feature tells; the small model loses `loss` on those."""
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(n):
        is_hard = rng.random() < hard
        noise = rng.normal(0, 0.02, 2)
        row = [3.0 * is_hard + rng.normal(0, 0.3), *rng.normal(0, 1, len(FEATURES) - 1)]
        large = 0.7 + noise[0]
        out.append(Scored(tuple(row), large - loss * is_hard + noise[1], large, 1e-6, 4e-6))
    return out


def test_the_hard_questions_go_to_the_large_model() -> None:
    scored = questions(400, hard=0.4, loss=0.4)
    router, curve = learn(scored, range(400), margin=0.02)
    at = next(p for p in curve if p.threshold == router.threshold)
    assert 0.5 < at.share_small < 0.7 and at.low >= -0.02
    assert at.usd < 2.5e-6, "a large one alone costs 4"
    easy, difficult = [0.0] * len(FEATURES), [3.0] + [0.0] * (len(FEATURES) - 1)
    assert router.gain(easy) <= router.threshold < router.gain(difficult)
    assert oracle(scored).quality >= max(p.quality for p in curve) - 0.02


def test_a_small_model_that_is_as_good_answers_everything() -> None:
    router, curve = learn(questions(200, hard=0.5, loss=0.0), range(200), margin=0.02)
    assert router.threshold == math.inf and curve[-1].share_small == 1.0


def test_where_nothing_is_shown_to_be_good_enough_the_large_model_answers() -> None:
    rng = np.random.default_rng(1)
    noisy = [
        Scored(tuple(rng.normal(0, 1, len(FEATURES))), float(rng.random()) * 0.3, 0.9, 1e-6, 4e-6) for _ in range(40)
    ]
    router, curve = learn(noisy, range(40), margin=0.01)
    assert router.threshold == -math.inf
    assert curve[0].share_small == 0 and curve[0].difference == 0.0


def test_the_curve_falls_in_cost() -> None:
    _, curve = learn(questions(300, hard=0.4, loss=0.3), range(300), margin=0.02)
    assert [p.usd for p in curve] == sorted((p.usd for p in curve), reverse=True)
    assert curve[0].share_small == 0 and curve[-1].share_small == 1


def test_few_questions_teach_nothing() -> None:
    with pytest.raises(ValueError, match="too few"):
        learn(questions(19, hard=0.5, loss=0.1), range(19), margin=0.02)


def test_a_router_is_kept_as_json_and_read_again() -> None:
    import json

    router, _ = learn(questions(100, hard=0.4, loss=0.4), range(100), margin=0.5)
    assert Router.of(json.loads(json.dumps(router.as_dict()))) == router
    with pytest.raises(ValueError, match="other features"):
        Router.of(router.as_dict() | {"features": ["words"]})


def test_features_of_both_languages() -> None:
    english = features("How do I make a field optional?", [HIT, HIT], "en")
    chinese = features("如何让字段变成可选？", [], "zh")
    assert len(english) == len(chinese) == len(FEATURES)
    found = dict(zip(FEATURES, english, strict=True))
    assert found["asks_how"] == 1 and found["best_score"] == 3.5 and found["gap"] == 0 and found["covered"] > 0
    assert dict(zip(FEATURES, chinese, strict=True))["is_chinese"] == 1
    assert all(math.isfinite(v) for v in (*english, *chinese))
