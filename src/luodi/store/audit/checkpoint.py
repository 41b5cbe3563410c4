"""Checkpoints: the head of the log, signed, kept, and put outside."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from luodi.errors import IntegrityError, LuodiError
from luodi.store.audit.anchor import open_anchor
from luodi.store.audit.note import Checkpoint, origin_of, sign
from luodi.store.audit.reading import snapshot
from luodi.store.audit.tree import Frontier
from luodi.store.tx import Tx, tx_of

if TYPE_CHECKING:
    from luodi.store import Store
    from luodi.store.database import Database

_log = logging.getLogger("luodi.audit")


def newest(tx: Tx) -> tuple[int, str, list[dict[str, Any]]] | None:
    """Size, note and anchors of the newest checkpoint."""
    found = tx.all("SELECT size, note, anchors FROM log_checkpoints ORDER BY size DESC LIMIT 1")
    return (found[0][0], found[0][1], json.loads(found[0][2])) if found else None


def make_checkpoint(store: Store) -> int | None:
    """Sign the log's head if it has grown since the last checkpoint; returns its size, None if there is nothing new.

    Of several workers that do this at once one makes the checkpoint.

    Raises:
        IntegrityError: the log is shorter than its last checkpoint, and signing that would cover it up.
    """
    from luodi.store.database import now_ms

    with snapshot(store.database) as tx:
        size, packed = tx.all("SELECT size, frontier FROM log_state")[0]
        last = newest(tx)
        if last and size < last[0]:
            raise IntegrityError(f"the log has {size} rows, its last checkpoint {last[0]}", "`luodi audit verify`")
        if not size or (last and size == last[0]):
            return None
        first = tx.all("SELECT leaf FROM log WHERE seq = 0")
    if not first:
        raise IntegrityError("the first row of the log is missing", "`luodi audit verify`")
    note = sign(Checkpoint(origin_of(bytes(first[0][0])), size, Frontier(size, bytes(packed)).root()), store.keys)
    with store.database.begin() as connection:
        made = tx_of(connection).run(
            "INSERT INTO log_checkpoints (size, time_ms, note, anchors) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (size) DO NOTHING",
            (size, now_ms(), note, "[]"),
        )
    return size if made else None


def anchor_newest(store: Store, targets: Sequence[str]) -> list[dict[str, Any]]:
    """Put the newest checkpoint wherever it is not yet. It covers all rows of those before it.

    Returns one entry for each attempt: `to`, `time_ms`, and `back` (what came back) or `error`. It is recorded with
    the checkpoint; a failure is no exception, and tried again the next time.
    """
    from luodi.store.database import now_ms

    with snapshot(store.database) as tx:
        last = newest(tx)
    if last is None:
        return []
    size, note, known = last
    there = {entry["to"] for entry in known if "error" not in entry}
    tried: list[dict[str, Any]] = []
    for target in dict.fromkeys(targets):
        if target in there:
            continue
        entry: dict[str, Any] = {"to": target, "time_ms": now_ms()}
        try:
            entry["back"] = open_anchor(target).put(note, size)
        except LuodiError as error:
            entry["error"] = error.message
            _log.warning("checkpoint %d could not be put to %s: %s", size, target, error.message)
        tried.append(entry)
    if tried:
        _record(store.database, size, tried)
    return tried


def _record(database: Database, size: int, tried: list[dict[str, Any]]) -> None:
    """Add what was tried; of a place's failures the last is kept."""
    with database.begin() as connection:
        tx = tx_of(connection)
        tx.run("UPDATE log_checkpoints SET size = size WHERE size = ?", (size,))  # lock the row
        known = json.loads(tx.all("SELECT anchors FROM log_checkpoints WHERE size = ?", (size,))[0][0])
        again = {entry["to"] for entry in tried}
        kept = [e for e in known if e["to"] not in again or "error" not in e]
        tx.run("UPDATE log_checkpoints SET anchors = ? WHERE size = ?", (json.dumps(kept + tried), size))


class Checkpointer:
    """Makes and anchors checkpoints in the background of an event loop.

    Args:
        targets: where checkpoints are put; see `luodi.store.audit.anchor`.
        seconds: at least this often, if the log has grown.
        rows: or after so many rows that `count` was told of.
    """

    def __init__(self, store: Store, targets: Sequence[str] = (), *, seconds: float = 60.0, rows: int = 10_000) -> None:
        for target in targets:
            open_anchor(target)  # a mistake is told now and not in the background
        self._store = store
        self._targets = tuple(targets)
        self._seconds = seconds
        self._rows = rows
        self._new = 0
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def count(self, rows: int) -> None:
        """So many rows were appended; from the loop's thread."""
        self._new += rows
        if self._new >= self._rows:
            self._wake.set()

    def start(self) -> None:
        """Begin, in the running loop."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="checkpointer")

    async def once(self) -> int | None:
        """Make and anchor a checkpoint now; its size, or None if there was nothing new or it could not be made."""
        self._new = 0
        try:
            return await asyncio.to_thread(self._make)
        except LuodiError as error:
            _log.error("no checkpoint could be made: %s (%s)", error.message, error.hint)
        except Exception:  # whatever it is, the next one is tried all the same
            _log.exception("no checkpoint could be made")
        return None

    def _make(self) -> int | None:
        size = make_checkpoint(self._store)
        anchor_newest(self._store, self._targets)
        return size

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self._seconds)
            self._wake.clear()
            await self.once()

    async def close(self) -> None:
        """Stop, with a last checkpoint."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        await self.once()
