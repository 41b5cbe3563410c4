from __future__ import annotations

from pathlib import Path

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from luodi.store.digest import canonical_json, digest_bytes, digest_file, digest_json, digest_tree, list_files, short_id

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def test_known_digest() -> None:
    # The empty input's digest in the BLAKE3 team's test vectors.
    assert digest_bytes(b"") == "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, 3 << 20])
def test_file_and_bytes_agree(tmp_path: Path, size: int) -> None:
    data = bytes(i % 251 for i in range(1000)) * (size // 1000 + 1)
    (tmp_path / "f").write_bytes(data[:size])
    assert digest_file(tmp_path / "f") == blake3(data[:size]).hexdigest()


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.integers(), max_size=6))
def test_order_of_keys_does_not_matter(value: dict[str, int]) -> None:
    assert digest_json(value) == digest_json(dict(reversed(value.items())))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}, object()])
def test_what_is_not_json_is_refused(value: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        canonical_json(value)


@given(json_values.filter(lambda v: "\\ud" not in repr(v)), json_values.filter(lambda v: "\\ud" not in repr(v)))
def test_different_values_have_different_bytes(a: object, b: object) -> None:
    assert (canonical_json(a) == canonical_json(b)) == (repr(_sorted(a)) == repr(_sorted(b)))


def _sorted(value: object) -> object:
    if isinstance(value, dict):
        return [[k, _sorted(v)] for k, v in sorted(value.items())], "mapping"
    return [_sorted(v) for v in value] if isinstance(value, list) else value


def test_parts_of_an_id_do_not_run_together() -> None:
    assert len({short_id("ab", "c"), short_id("a", "bc"), short_id("abc"), short_id("abc", "")}) == 4
    assert len(short_id("x")) == 32


def test_list_files_is_in_order_and_does_not_follow_links(tmp_path: Path) -> None:
    for name in ("z", "a/y", "a/b/x", "c/w"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "loop").symlink_to(tmp_path)
    assert [p.relative_to(tmp_path).as_posix() for p in list_files(tmp_path)] == ["loop", "z", "a/y", "a/b/x", "c/w"]


def test_tree_does_not_depend_on_the_order_of_the_listing() -> None:
    files = [{"path": "a", "size": 1, "digest": "x"}, {"path": "b", "size": 2, "digest": "y"}]
    assert digest_tree(files) == digest_tree(files[::-1]) != digest_tree(files[:1])
