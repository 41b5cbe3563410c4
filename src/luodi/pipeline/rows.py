"""Rows: the one record that flows through data stages, and the lineage between them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from luodi.store.digest import digest_json, short_id

ROWS = "rows.parquet"
LINEAGE = "lineage.parquet"


@dataclass(frozen=True, slots=True)
class Row:
    """One record. `start` and `end` are character offsets in the source document; `line` counts from 1."""

    id: str
    kind: str  # document, section, pair
    text: str
    source: str
    path: str
    title: str = ""
    start: int = 0
    end: int = 0
    line: int = 1
    licence: str = "unknown"
    basis: str = "unknown"
    meta: dict[str, Any] = field(default_factory=dict)

    def child(self, kind: str, locator: str, **changes: Any) -> Row:
        """A row made from this one, with an id that follows from this id and the place in it."""
        return replace(self, id=short_id(self.id, kind, locator), kind=kind, **changes)


@dataclass(frozen=True, slots=True)
class Link:
    """What became of rows in one step. An empty `out_id` means dropped, and `reason` says why."""

    out_id: str
    in_ids: tuple[str, ...]
    op: str
    reason: str = ""
    score: float = 0.0


def _table(columns: dict[str, list[Any]]) -> Any:
    import pyarrow as pa

    kinds = {
        "start": pa.int64(),
        "end": pa.int64(),
        "line": pa.int64(),
        "score": pa.float64(),
        "in_ids": pa.list_(pa.string()),
    }
    arrays = {name: pa.array(values, kinds.get(name, pa.string())) for name, values in columns.items()}
    return pa.table(arrays)


def _write(path: Path, columns: dict[str, list[Any]]) -> None:
    import pyarrow.parquet as pq

    pq.write_table(_table(columns), path, compression="zstd")


_FIELDS = ("id", "kind", "text", "source", "path", "title", "start", "end", "line", "licence", "basis")


def write_rows(folder: Path, rows: Iterable[Row]) -> int:
    """Write `rows.parquet` in `folder`; returns how many."""
    rows = list(rows)
    columns: dict[str, list[Any]] = {name: [getattr(r, name) for r in rows] for name in _FIELDS}
    columns["meta"] = [json.dumps(r.meta, sort_keys=True, ensure_ascii=False) for r in rows]
    _write(folder / ROWS, columns)
    return len(rows)


def read_rows(folder: Path) -> list[Row]:
    import pyarrow.parquet as pq

    columns = pq.read_table(folder / ROWS).to_pydict()
    meta = [json.loads(m) for m in columns.pop("meta")]
    names = list(columns)
    return [
        Row(**dict(zip(names, values, strict=True)), meta=m)
        for values, m in zip(zip(*columns.values(), strict=True), meta, strict=True)
    ]


def write_lineage(folder: Path, links: Iterable[Link]) -> None:
    links = list(links)
    _write(
        folder / LINEAGE,
        {
            "out_id": [k.out_id for k in links],
            "in_ids": [list(k.in_ids) for k in links],
            "op": [k.op for k in links],
            "reason": [k.reason for k in links],
            "score": [k.score for k in links],
        },
    )


def read_lineage(folder: Path) -> list[Link]:
    import pyarrow.parquet as pq

    if not (folder / LINEAGE).is_file():
        return []
    c = pq.read_table(folder / LINEAGE).to_pydict()
    return [
        Link(out, tuple(ins), op, reason, score)
        for out, ins, op, reason, score in zip(c["out_id"], c["in_ids"], c["op"], c["reason"], c["score"], strict=True)
    ]


def shard(rows: Sequence[Row], count: int) -> list[list[Row]]:
    """Split rows by the digest of their path: a row stays in its shard when others come and go."""
    shards: list[list[Row]] = [[] for _ in range(count)]
    for row in rows:
        shards[int(short_id(row.source, row.path)[:8], 16) % count].append(row)
    return [s for s in shards if s]


def digest_rows(rows: Sequence[Row]) -> str:
    """Digest of the content of rows, the part of a shard's key that its data makes."""
    return digest_json([[getattr(r, name) for name in _FIELDS] + [r.meta] for r in rows])
