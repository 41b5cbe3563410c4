"""The log and its checkpoints."""

from __future__ import annotations

import json
from typing import Any

from luodi.gateway.admin.asked import Asked
from luodi.gateway.admin.browse import page_of
from luodi.store.audit.reading import snapshot


def ls(asked: Asked) -> dict[str, Any]:
    asked.only("cursor", "limit", "kind", "actor", "subject", "from_ms", "to_ms")
    equal = {name: asked.query.get(name, "") for name in ("kind", "actor", "subject")}
    found, cursor = page_of(
        asked.store, equal, before=asked.number("cursor", -1, 0), limit=asked.limit(),
        from_ms=asked.number("from_ms", 0, 0), to_ms=asked.number("to_ms", 1 << 62, 0),
    )  # fmt: skip
    return {"data": found, "cursor": cursor}


def checkpoints(asked: Asked) -> dict[str, Any]:
    asked.only("cursor", "limit")
    before, limit = asked.number("cursor", 1 << 62, 0), asked.limit()
    with snapshot(asked.store.database) as tx:
        rows = tx.all(
            "SELECT size, time_ms, note, anchors FROM log_checkpoints WHERE size<? ORDER BY size DESC LIMIT ?",
            (before, limit + 1),
        )
    found = [{"size": s, "time_ms": t, "note": note, "anchors": json.loads(a)} for s, t, note, a in rows[:limit]]
    return {"data": found, "cursor": str(rows[limit - 1][0]) if len(rows) > limit else None}
