from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from luodi.pipeline import Link, Row, read_lineage, read_rows, shard, write_lineage, write_rows
from luodi.pipeline.rows import digest_rows

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
big = st.integers(-(2**63), 2**63 - 1)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
rows = st.builds(
    Row, id=texts, kind=texts, text=texts, source=texts, path=texts, title=texts, start=big, end=big, line=big,
    licence=texts, basis=texts, meta=st.dictionaries(texts, json_values, max_size=3),
)  # fmt: skip
links = st.builds(Link, texts, st.lists(texts, max_size=3).map(tuple), texts, texts, st.floats(allow_nan=False))
anywhere = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])

ROW = Row("1" * 32, "document", "text", "toy", "a.txt")


@given(st.lists(rows, max_size=5))
@anywhere
def test_rows_come_back_as_they_were(tmp_path: Path, values: list[Row]) -> None:
    assert write_rows(tmp_path, values) == len(values)
    assert read_rows(tmp_path) == values


@given(st.lists(links, max_size=5))
@anywhere
def test_links_come_back_as_they_were(tmp_path: Path, values: list[Link]) -> None:
    write_lineage(tmp_path, values)
    assert read_lineage(tmp_path) == values


def test_file_without_rows_has_all_columns(tmp_path: Path) -> None:
    write_rows(tmp_path, [])
    names = pq.read_schema(tmp_path / "rows.parquet").names
    write_rows(tmp_path, [ROW])
    assert pq.read_schema(tmp_path / "rows.parquet").names == names


def test_same_rows_make_the_same_file(tmp_path: Path) -> None:
    files = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_rows(tmp_path / name, [ROW] * 3)
        files.append((tmp_path / name / "rows.parquet").read_bytes())
    assert files[0] == files[1]


def test_no_lineage_is_empty(tmp_path: Path) -> None:
    assert read_lineage(tmp_path) == []


def test_child_has_an_id_of_its_place() -> None:
    ids = {ROW.child("section", "0").id, ROW.child("section", "1").id, ROW.child("pair", "0").id, ROW.id}
    assert len(ids) == 4
    assert ROW.child("section", "0", text="other").id in ids


@given(st.lists(rows, max_size=20), st.integers(1, 9))
def test_shards_hold_every_row_once(values: list[Row], count: int) -> None:
    shards = shard(values, count)
    assert len(shards) <= count and all(shards)
    assert sorted(map(repr, values)) == sorted(repr(row) for part in shards for row in part)


def test_rows_of_a_document_stay_together_and_in_order() -> None:
    values = [ROW.child("section", str(i), path=f"{i % 7}.txt", line=i) for i in range(70)]
    for part in shard(values, 5):
        assert [row.line for row in part] == sorted(row.line for row in part)
        for path in {row.path for row in part}:
            assert sum(row.path == path for row in part) == 10


def test_row_stays_in_its_shard_when_others_come() -> None:
    values = [ROW.child("section", str(i), path=f"{i}.txt") for i in range(40)]
    before, after = shard(values[:20], 4), shard(values, 4)
    assert all(any(set(map(repr, part)) <= set(map(repr, grown)) for grown in after) for part in before)


@pytest.mark.parametrize("change", [{"text": "x"}, {"line": 2}, {"meta": {"a": 1}}, {"basis": "own"}, {"title": "x"}])
def test_every_field_is_part_of_the_digest(change: dict[str, object]) -> None:
    values = {name: getattr(ROW, name) for name in Row.__dataclass_fields__}
    assert digest_rows([ROW]) != digest_rows([Row(**values | change)])
