"""Reading records of calls."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import select

from luodi.errors import StoreError
from luodi.store import Store
from luodi.store.migrations import log


def read_record(store: Store, prefix: str) -> dict[str, Any]:
    """The one record whose id starts with `prefix`. Raises: StoreError if none or several do."""
    prefix = prefix.removeprefix("record:").rstrip("…")
    with store.database.begin() as connection:
        found = (
            connection.execute(
                select(log).where(log.c.id.startswith(prefix, autoescape=True)).where(log.c.kind == "call").limit(2)
            )
            .mappings()
            .all()
        )
    if len(found) != 1 or len(prefix) < 4:
        raise StoreError(
            f"{'several' if len(found) > 1 else 'no'} records start with {prefix!r}", "every answer names its record"
        )
    row = found[0]
    kept = {k: row[k] for k in ("id", "seq", "time_ms", "outcome", "cost_nano_usd")}
    body: dict[str, Any] = json.loads(row["body"] or "{}")
    return kept | {"release": row["subject"], "key_id": row["actor"]} | body
