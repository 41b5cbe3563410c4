from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luodi.pipeline.intervals import clopper_pearson_upper, wilson

counts = st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


# scipy 1.17.1: stats.binomtest(k, n).proportion_ci(c, "wilson")
@pytest.mark.parametrize(
    ("k", "n", "confidence", "low", "high"),
    [
        (0, 10, 0.95, 0.0, 0.27753279986288926),
        (1, 10, 0.95, 0.017876213095072896, 0.4041500267952385),
        (5, 10, 0.95, 0.236593090512564, 0.7634069094874361),
        (10, 10, 0.95, 0.7224672001371109, 1.0),
        (81, 263, 0.95, 0.2552885198782742, 0.36620957698280004),
        (9, 10, 0.9, 0.6522813326641417, 0.9773650912691327),
        (3, 1000, 0.99, 0.0007581012310614683, 0.011793516682924922),
    ],
)
def test_wilson(k: int, n: int, confidence: float, low: float, high: float) -> None:
    assert wilson(k, n, confidence) == pytest.approx((low, high), abs=1e-12)


# scipy 1.17.1: stats.beta.ppf(c, k + 1, n - k), Clopper and Pearson's upper limit as a quantile of a beta distribution
@pytest.mark.parametrize(
    ("k", "n", "confidence", "upper"),
    [
        (0, 10, 0.95, 0.2588655508930522),
        (1, 10, 0.95, 0.39416330243650466),
        (5, 10, 0.95, 0.7775588989918706),
        (9, 10, 0.95, 0.9948838031081763),
        (3, 400, 0.95, 0.019269229283088177),
        (3, 400, 0.99, 0.024892560569862422),
        (600, 1200, 0.95, 0.5241390204221055),
        (100, 100000, 0.95, 0.0011806859691734534),
        (1999, 2000, 0.95, 0.9999743536816786),
        (10, 10, 0.95, 1.0),
    ],
)
def test_clopper_pearson(k: int, n: int, confidence: float, upper: float) -> None:
    assert clopper_pearson_upper(k, n, confidence) == pytest.approx(upper, rel=1e-9)


def test_rule_of_three() -> None:
    # Nothing in n: 1 - 0.05^(1/n), about 3/n (Hanley and Lippman-Hand 1983)
    assert clopper_pearson_upper(0, 400) == pytest.approx(1 - 0.05 ** (1 / 400), rel=1e-12)


def test_nothing_seen_says_nothing() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
    assert clopper_pearson_upper(0, 0) == 1.0


@given(counts, st.floats(0.5, 0.999))
def test_wilson_holds_the_share(seen: tuple[int, int], confidence: float) -> None:
    k, n = seen
    low, high = wilson(k, n, confidence)
    assert 0 <= low <= k / n + 1e-12 and k / n - 1e-12 <= high <= 1


@given(counts)
def test_upper_bound_grows_with_what_was_seen(seen: tuple[int, int]) -> None:
    k, n = seen
    assert k / n <= clopper_pearson_upper(k, n) <= clopper_pearson_upper(min(k + 1, n), n)
