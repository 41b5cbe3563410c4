"""RFC 8785, against an implementation of somebody else, with and without orjson."""

from __future__ import annotations

from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from luodi.errors import StoreError
from luodi.store.audit import canonical as module
from luodi.store.audit.canonical import canonical

TEXT = st.text(st.characters(codec="utf-8"))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=5),
    max_leaves=20,
)
# U+E000 … U+FFFF come before U+10000 in UTF-8 and after it in UTF-16.
KEYS = st.text(st.sampled_from("a\ue000\uffff\U00010000\U0001f642é"), min_size=1, max_size=3)


@pytest.fixture(params=["orjson", "json"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "json":
        monkeypatch.setattr(module, "orjson", None)


@given(VALUES)
def test_as_the_other_implementation(value: Any) -> None:
    wanted = rfc8785.dumps(value)
    assert canonical(value) == wanted
    kept, module.orjson = module.orjson, None  # type: ignore[assignment]
    try:
        assert canonical(value) == wanted
    finally:
        module.orjson = kept


@given(st.dictionaries(KEYS, st.dictionaries(KEYS, st.integers(0, 9))))
def test_keys_are_in_the_order_of_utf_16(value: Any) -> None:
    assert canonical(value) == rfc8785.dumps(value)


@pytest.mark.usefixtures("way")
class TestRefuses:
    @pytest.mark.parametrize(
        ("value", "told"),
        [
            ({"cost": {"usd": 0.1}}, "cost.usd is the float 0.1"),
            ({"scores": [1, 2.0]}, r"scores\[1\] is the float 2.0"),
            (float("nan"), "the value is the float nan"),
            ({"n": 2**53}, "n is 9007199254740992, beyond"),
            ({"n": -(2**64)}, "beyond"),
            ({1: "a"}, "the key 1, which is no text"),
            ({"a": {"b": {2: 3}}}, "a.b has the key 2"),
            ({"a": b"x"}, "a is a bytes, which is no JSON"),
            ({"a": {1, 2}}, "a is a set"),
            ({"a": "\ud800"}, "surrogate"),
            ({"\ud800": 1}, "surrogate"),
        ],
    )
    def test_what_has_no_one_form(self, value: Any, told: str) -> None:
        with pytest.raises(StoreError, match=told) as caught:
            canonical(value)
        assert caught.value.hint

    def test_what_is_nested_too_deep(self) -> None:
        value: Any = 1
        for _ in range(5000):
            value = [value]
        with pytest.raises(StoreError, match="nested deeper"):
            canonical(value)

    def test_nothing_at_the_edges(self) -> None:
        assert canonical({"n": [2**53 - 1, -(2**53) + 1]}) == b'{"n":[9007199254740991,-9007199254740991]}'
        assert canonical([True, None, (), {}]) == b"[true,null,[],{}]"
        assert canonical('\x00\x1f\x7f\u2028/\\"é') == '"\\u0000\\u001f\x7f\u2028/\\\\\\"é"'.encode()
