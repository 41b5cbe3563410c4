from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luodi.knowledge.values import denies, values, without_values


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("Returned within 30 days of 4 March 2026.", {"30", "2026-03-04"}),
        ("On March 4th, 2026 at least.", {"2026-03-04"}),
        ("2026-3-4 and 2026/03/04 and 2026年3月4日", {"2026-03-04"}),
        ("2026年3月起", {"2026-03"}),
        ("1,200 users, 1.5 million rows", {"1200", "1500000"}),
        ("twenty-five percent of thirty", {"25%", "30"}),
        ("5 % and 5percent", {"5%"}),
        ("退货须在三十天内提出，费用1.5万元，比例百分之五", {"30", "15000", "5%"}),
        ("一百二十三天，三千万元，两年", {"123", "30000000", "2"}),
        ("one of the two options", {"2"}),
        ("one hundred of them", {"100"}),
        ("version 5.2.19", {"5.2.19"}),
        ("no values here", set()),
    ],
)
def test_values_have_one_form(sentence: str, expected: set[str]) -> None:
    assert values(sentence) == expected


def test_denies() -> None:
    assert denies("It is not allowed.") and denies("不可以退货") and denies("You can't.")
    assert not denies("It is allowed.") and not denies("非常好") and not denies("It is not without risk.")


def test_what_is_left_speaks_of_the_same() -> None:
    assert without_values("Sent within 30 days.").split() == without_values("Sent within ninety days.").split()


@given(st.text(max_size=200))
def test_never_raises(text: str) -> None:
    values(text)
    denies(text)
    without_values(text)


def test_is_linear() -> None:
    began = time.perf_counter()
    for text in (
        "1" * 300_000,
        "1," * 150_000,
        "一" * 300_000,
        "twenty-" * 50_000,
        "百分之" * 100_000,
        "2026年" * 60_000,
    ):
        values(text)
    assert time.perf_counter() - began < 5
