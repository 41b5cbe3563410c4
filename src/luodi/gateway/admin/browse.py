"""Pages of the log, newest first."""

from __future__ import annotations

import json
import time
from typing import Any

from luodi.store import Store
from luodi.store.audit.log import COLUMNS
from luodi.store.audit.reading import snapshot

_WINDOW = 20_000  # rows looked through at a time, so that a rare filter does not read the whole log for one page
_PATIENCE_S = 0.5
_SELECT = f"SELECT {', '.join(COLUMNS)}, body, leaf FROM log WHERE seq>=? AND seq<?"  # noqa: S608 - constants


def page_of(
    store: Store, equal: dict[str, str], *, before: int, limit: int, release: str = "", from_ms: int = 0,
    to_ms: int = 1 << 62,
) -> tuple[list[dict[str, Any]], str | None]:  # fmt: skip
    """Rows of the log in front of a place (-1: from the newest), and the cursor of the next page; None at the end.

    A page may hold less than `limit` rows and still have a next one: it is what half a second finds.

    Args:
        equal: columns ("kind", "actor", "subject", "outcome") and what they must be; "" is anything.
        release: NAME@VERSION, or NAME for all its versions.
        from_ms, to_ms: half-open range of time.
    """
    where = ""
    values: list[Any] = []
    for name in ("kind", "actor", "subject", "outcome"):
        if equal.get(name):
            where += f" AND {name}=?"
            values.append(equal[name])
    if release:
        whole = "@" in release
        # No LIKE: a "%" or "_" in a name stands for itself.
        where += " AND subject=?" if whole else " AND substr(subject, 1, ?)=?"
        values += [release] if whole else [len(release) + 1, release + "@"]
    where += " AND time_ms>=? AND time_ms<?"
    values += [from_ms, to_ms]
    found: list[dict[str, Any]] = []
    give_up = time.monotonic() + _PATIENCE_S
    with snapshot(store.database) as tx:
        size = tx.all("SELECT size FROM log_state")[0][0]
        high = size if before < 0 else min(before, size)
        while high > 0 and len(found) < limit and time.monotonic() < give_up:
            low = max(0, high - _WINDOW)
            sql = f"{_SELECT}{where} ORDER BY seq DESC LIMIT ?"
            rows = tx.all(sql, (low, high, *values, limit - len(found)))
            found += [_row(row) for row in rows]
            high = rows[-1][0] if len(found) == limit else low
    return found, str(high) if high > 0 else None


def _row(row: tuple[Any, ...]) -> dict[str, Any]:
    n = len(COLUMNS)
    body = json.loads(row[n]) if row[n] else None
    return dict(zip(COLUMNS, row[:n], strict=True)) | {"body": body, "leaf": bytes(row[n + 1]).hex()}


def call_of(store: Store, record: str) -> dict[str, Any] | None:
    """The row of a call, or of the use of a tool, by its whole id; None if there is none."""
    sql = f"SELECT {', '.join(COLUMNS)}, body, leaf FROM log WHERE id=? AND kind IN ('call', 'tool')"  # noqa: S608 - constants
    with snapshot(store.database) as tx:
        rows = tx.all(sql, (record,))
    return _row(rows[0]) if rows else None
