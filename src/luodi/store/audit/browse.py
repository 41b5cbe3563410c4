"""Looking at single rows."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from luodi.errors import StoreError
from luodi.store.audit.log import COLUMNS
from luodi.store.audit.reading import snapshot

if TYPE_CHECKING:
    from luodi.store import Store

_SELECT = f"SELECT {', '.join(COLUMNS)} FROM log"  # noqa: S608 - constants


def newest_rows(store: Store, kind: str | None, limit: int) -> list[dict[str, Any]]:
    """The columns of the newest rows, the newest last."""
    where, values = (" WHERE kind = ?", [kind]) if kind else ("", [])
    with snapshot(store.database) as tx:
        found = tx.all(f"{_SELECT}{where} ORDER BY seq DESC LIMIT ?", [*values, limit])
    return [dict(zip(COLUMNS, row, strict=True)) for row in reversed(found)]


def one_row(store: Store, id: str) -> dict[str, Any]:
    """What the log holds of a record: its body, or its columns if that was let go, and whether its content is there.

    Raises:
        StoreError: there is no such record.
    """
    with snapshot(store.database) as tx:
        found = tx.all("SELECT body FROM log WHERE id = ?", (id,))
        if not found:
            raise StoreError(f"there is no record {id!r}", "`luodi audit ls` lists the newest")
        there = bool(tx.all("SELECT 1 FROM payloads WHERE id = ?", (id,)))
        body = found[0][0]
        row = (
            json.loads(body)
            if body
            else dict(zip(COLUMNS, tx.all(f"{_SELECT} WHERE id = ?", (id,))[0], strict=True)) | {"body": None}
        )
    return {**row, "content_kept": there}


def time_text(time_ms: int) -> str:
    """UTC, to the second."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
