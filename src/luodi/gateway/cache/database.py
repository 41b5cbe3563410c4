"""Answers in the project's database. They are written with what the gateway writes anyway, in the same transactions."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Sequence
from typing import Any

from luodi.gateway.cache.entry import Entry, News, Vector
from luodi.gateway.cache.patience import Patience
from luodi.store import Store
from luodi.store.audit.reading import snapshot
from luodi.store.database import now_ms
from luodi.store.group import GroupWriter
from luodi.store.tx import Tx, tx_of

MOST = 20_000  # entries
MOST_BYTES = 256 << 20
_SWEEP = 256  # entries written between two sweeps
_STEP = 512  # entries that one sweep lets go, so that no transaction is long
_VECTORS = 4096  # of a scope
_GET = "SELECT expires_ms, reply FROM cache_entries WHERE key=?"
_NEWS = (
    "SELECT seq, key, question, expires_ms, vector FROM cache_entries WHERE scope=? AND seq>? AND embedder=? "
    "AND expires_ms>? ORDER BY seq DESC LIMIT ?"
)
_log = logging.getLogger("luodi.gateway")


class Keeper:
    """The book of the group writer that keeps answers and lets the oldest go."""

    def __init__(self, most: int = MOST, most_bytes: int = MOST_BYTES, every: int = _SWEEP) -> None:
        self._most, self._most_bytes, self._every = most, most_bytes, every
        self._written = 0

    def __call__(self, tx: Tx, items: Sequence[Entry]) -> list[None]:
        last = {e.key: e for e in items}
        tx.many("DELETE FROM cache_entries WHERE key=?", [(key,) for key in last])
        tx.many(
            "INSERT INTO cache_entries (key, scope, release, subject, record, expires_ms, size, question, embedder, "
            "vector, reply) VALUES (?,?,?,?,?,?,?,?,?,?,?)",
            [
                (e.key, e.scope, e.release, e.subject, e.record, e.expires_ms, e.size, e.question, e.embedder,
                 e.vector or None, e.reply)
                for e in last.values()
            ],
        )  # fmt: skip
        self._written += len(last)
        if self._written >= self._every:
            self._written = 0
            self._sweep(tx)
        return [None] * len(items)

    def _sweep(self, tx: Tx) -> None:
        tx.run(
            "DELETE FROM cache_entries WHERE seq IN "
            "(SELECT seq FROM cache_entries WHERE expires_ms<=? ORDER BY expires_ms LIMIT ?)",
            (now_ms(), _STEP),
        )
        count, size = tx.all("SELECT COUNT(*), COALESCE(SUM(size), 0) FROM cache_entries")[0]
        over = max(count - self._most, 0)
        if size > self._most_bytes:  # as many as are too many on average, and some more, so that it is not every time
            over = max(over, int(count * (size - self._most_bytes) / size) + 1)
        if over:
            tx.run(
                "DELETE FROM cache_entries WHERE seq IN (SELECT seq FROM cache_entries ORDER BY seq LIMIT ?)",
                (min(over + self._every // 2, max(_STEP, over)),),
            )


def forget(tx: Tx, *, subject: str = "", release: str = "", record: str = "") -> int:
    """Erase entries of a subject, a release or a call, in somebody's transaction; every worker follows within 1 s."""
    done = 0
    for column, value in (("subject", subject), ("release", release), ("record", record)):
        if value:
            done += tx.run(f"DELETE FROM cache_entries WHERE {column}=?", (value,))  # noqa: S608
    # Raised even if nothing was found: what is only in a worker's memory goes too.
    tx.run("UPDATE cache_state SET epoch=epoch+1")
    return done


class DatabaseStore:
    """SQLite is read in the loop's own thread, by key, in some microseconds; PostgreSQL in another, with patience.

    `read` is False where answers are not to lie on a disk: then only erasures are followed.
    """

    def __init__(self, store: Store, writer: GroupWriter, *, read: bool = True) -> None:
        self._database = store.database
        self._writer = writer
        self._read = read
        self._postgres = self._database.engine.dialect.name == "postgresql"
        self._connection: sqlite3.Connection | None = None
        self._failing = False
        self._patience = Patience("the cache in the database", wait_s=0.25)

    async def get(self, key: str) -> tuple[int, bytes] | None:
        if not self._read:
            return None
        rows = await self._rows(_GET, (key,))
        return (int(rows[0][0]), bytes(rows[0][1])) if rows else None

    def put(self, entry: Entry) -> None:
        if self._read:
            self._writer.put("cache", entry).add_done_callback(_seen)

    async def delete(self, *, subject: str = "", release: str = "", record: str = "") -> int:
        def work() -> int:
            with self._database.begin() as connection:
                return forget(tx_of(connection), subject=subject, release=release, record=record)

        try:
            return await asyncio.to_thread(work)
        except Exception as error:
            _log.warning("the cache could not be erased: %s", error)
            return -1

    async def news(self, scope: str = "", embedder: str = "", mark: str = "") -> News | None:
        found = await self._rows("SELECT epoch FROM cache_state", ())
        if not found:
            return None
        epoch = int(found[0][0])
        if not scope or not self._read:
            return News(epoch, mark)
        rows = await self._rows(_NEWS, (scope, int(mark or 0), embedder, now_ms(), _VECTORS), large=True)
        if rows is None:
            return None
        vectors = tuple(Vector(r[1], r[2], int(r[3]), bytes(r[4])) for r in reversed(rows) if r[4] is not None)
        return News(epoch, str(rows[0][0]) if rows else mark, vectors)

    async def _rows(self, sql: str, params: tuple[Any, ...], *, large: bool = False) -> list[tuple[Any, ...]] | None:
        if self._postgres:
            return await self._patience.ask(lambda: asyncio.to_thread(self._ask, sql, params))
        try:
            if large:
                return await asyncio.to_thread(self._ask, sql, params)
            if self._connection is None:
                self._connection = self._open()
            rows = self._connection.execute(sql, params).fetchall()
        except Exception as error:  # the disk is gone, or another process holds the file: not found
            if not self._failing:
                _log.warning("the cache could not be read: %s", error)
            self._failing = True
            return None
        self._failing = False
        return rows

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            str(self._database.engine.url.database), isolation_level=None, check_same_thread=False, timeout=0
        )
        connection.execute("PRAGMA query_only=ON")
        return connection

    def _ask(self, sql: str, params: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        with snapshot(self._database) as tx:
            return tx.all(sql, params)

    async def stop(self) -> None:
        """The group writer finishes what is being written."""

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _seen(future: asyncio.Future[Any]) -> None:
    """What could not be kept is not kept; that it is known is all that asyncio wants."""
    if not future.cancelled():
        future.exception()
