"""The passages that an answer cites, as they stand in the release that gave it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from luodi.knowledge import INDEX
from luodi.store import Store, digest_bytes


def passages(store: Store, release_digest: str, sources: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The recorded sources with title, text and digest (BLAKE3 of the text) of the passage.

    The three are None if the release is not in the store any more.
    """
    path = index_of(store, release_digest)
    if path is None:
        return [source | {"title": None, "text": None, "digest": None} for source in sources]
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
        return [source | _found(connection, source) for source in sources]


def index_of(store: Store, release_digest: str) -> Path | None:
    if not release_digest or release_digest not in store.artifacts:
        return None
    path = store.artifacts.get(release_digest).files / "index" / INDEX
    return path if path.is_file() else None


def _found(connection: sqlite3.Connection, source: dict[str, Any]) -> dict[str, Any]:
    rows = connection.execute(
        'SELECT title, text FROM chunk WHERE row_id=? AND start<=? AND "end">=? ORDER BY "end" - start, id LIMIT 1',
        (source["row_id"], source["start"], source["end"]),
    ).fetchall()
    if not rows:
        return {"title": None, "text": None, "digest": None}
    return {"title": rows[0][0], "text": rows[0][1], "digest": digest_bytes(str(rows[0][1]).encode())}
