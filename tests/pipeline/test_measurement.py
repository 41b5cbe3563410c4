from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luodi.pipeline import Measurement

finite = st.floats(allow_nan=False, allow_infinity=False)
maybe = st.none() | finite


@given(
    st.builds(
        Measurement,
        st.text(),
        st.sampled_from(["compliance", "security", "data", "fit", "cost"]),
        finite,
        st.text(),
        st.integers(0),
        st.sampled_from(["higher", "lower"]),
        maybe,
        maybe,
        maybe,
        maybe,
        maybe,
        maybe,
        st.text(),
        st.integers(),
        st.text(),
        st.text(),
    )
)
def test_measurements_come_back_as_they_were(value: Measurement) -> None:
    assert Measurement.from_dict(json.loads(json.dumps(value.as_dict()))) == value


def test_what_is_not_known_is_left_out() -> None:
    assert "low" not in Measurement("a", "fit", 1.0, "share", 1, "higher").as_dict()


def test_fields_that_a_passport_adds_are_left_out() -> None:
    value = Measurement("a", "fit", 1.0, "share", 1, "higher")
    assert Measurement.from_dict(value.as_dict() | {"stage": "evaluate"}) == value


def test_missing_field_is_not_invented() -> None:
    with pytest.raises(TypeError, match="promise"):
        Measurement.from_dict({"name": "a"})
