from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luodi.errors import StoreError
from luodi.store import Action, Actions

ACTION = Action(
    "k1", "toy", "d" * 64, {"seed": 1, "code": {"m": "x"}}, "made", [{"name": "n", "value": 0.5}], ["s1"], 1.5, "now"
)


def test_round_trip(tmp_path: Path) -> None:
    actions = Actions(tmp_path)
    actions.put(ACTION)
    assert actions.get("k1") == ACTION


def test_there_is_none(tmp_path: Path) -> None:
    assert Actions(tmp_path / "absent").get("k1") is None


@pytest.mark.parametrize(
    "text", [b"", b"{", b"null", b"[]", b"3", b'"k1"', b"\xff\xfe", b'{"key": "k1"}', b'{"key": "k1", "x": 1}']
)
def test_damaged_record_counts_as_none(tmp_path: Path, text: bytes) -> None:
    actions = Actions(tmp_path)
    actions.path("k1").write_bytes(text)
    assert actions.get("k1") is None


def test_record_of_another_key_counts_as_none(tmp_path: Path) -> None:
    actions = Actions(tmp_path)
    actions.put(ACTION)
    actions.path("k1").rename(actions.path("k2"))
    assert actions.get("k2") is None


@settings(max_examples=30)
@given(cut=st.integers(0, 10_000))
def test_record_cut_short_counts_as_none(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    actions = Actions(tmp_path_factory.mktemp("cut"))
    actions.put(ACTION)
    whole = actions.path("k1").read_bytes()
    actions.path("k1").write_bytes(whole[: cut % (len(whole) - 1)])
    assert actions.get("k1") is None


def test_all_skips_what_is_damaged(tmp_path: Path) -> None:
    actions = Actions(tmp_path)
    actions.put(ACTION)
    actions.path("k0").write_text("{")
    assert list(actions.all()) == [ACTION]


def test_remove(tmp_path: Path) -> None:
    actions = Actions(tmp_path)
    actions.put(ACTION)
    actions.remove("k1")
    actions.remove("k1")
    assert actions.get("k1") is None


def test_record_that_may_not_be_read_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(self: Path) -> bytes:
        raise PermissionError(13, os.strerror(13), str(self))

    monkeypatch.setattr(Path, "read_bytes", refused)
    with pytest.raises(StoreError, match="could not be read"):
        Actions(tmp_path).get("k1")
