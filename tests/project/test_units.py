from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luodi.project.units import parse_duration, write_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("4 min", 240),
        ("90 s", 90),
        ("90s", 90),
        ("1.5 h", 5400),
        ("2 days", 172800),
        ("1 D", 86400),
        (" 3  hours ", 10800),
        ("0 s", 0),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "value", ["4", "min", "4 fortnights", "-4 min", "4 min 3 s", "1e3 s", "", "nan s", None, True, [4], 4, 4.5]
)
def test_what_is_no_duration(value: object) -> None:
    with pytest.raises(ValueError, match="write for instance"):
        parse_duration(value)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(240.0, "4 min"), (90.0, "90 s"), (0.5, "0.5 s"), (1234567.0, "1234567 s"), (8.64e7, "1440000 min")],
)
def test_durations_are_written_short(seconds: float, text: str) -> None:
    assert write_duration(seconds) == text


@given(st.floats(0, allow_infinity=False))
def test_written_durations_are_read_as_they_were(seconds: float) -> None:
    assert parse_duration(write_duration(seconds)) == seconds
