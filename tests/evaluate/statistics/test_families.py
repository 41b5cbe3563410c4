from __future__ import annotations

import numpy as np
import pytest

from luodi.evaluate.statistics import holm


def test_the_textbook_case() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == [] and holm([0.9, 0.8]) == [1.0, 1.0] and holm([0.02]) == [0.02]


def test_of_twenty_true_nulls_none_is_refused_in_95_percent() -> None:
    rng = np.random.default_rng(4)
    wrong = np.mean([min(holm(rng.random(20).tolist())) <= 0.05 for _ in range(3000)])
    assert 0.035 <= wrong <= 0.062
