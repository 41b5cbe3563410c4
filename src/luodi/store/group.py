"""One writer that commits in groups: what comes in the same turn of the event loop is one transaction.

On SQLite the transaction runs in the loop's own thread without waiting for the disk, and other processes find the lock
free again at once; the write-ahead log is then made durable, for all groups that came meanwhile (`disk.py`). Who asked
for durability is told after that. A crash of the process loses nothing that was committed; a crash of the machine
loses nothing that was acknowledged. On PostgreSQL a thread does both.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from luodi.errors import StoreError
from luodi.store.database import Database
from luodi.store.disk import Disk
from luodi.store.tx import Tx

_BUSY_S = 15.0  # how long another process may hold the database
_PAUSE_S = 0.003
_GATHER_S = 0.001
_log = logging.getLogger("luodi.store")


class Book(Protocol):
    """Applies items of one kind, in order, inside a transaction. One result for each item."""

    def __call__(self, tx: Tx, items: Sequence[Any]) -> Sequence[Any]: ...


@dataclass(slots=True)
class _Waiting:
    item: Any
    future: asyncio.Future[Any]
    result: Any = None


class GroupWriter:
    """Writes for one event loop.

    Args:
        books: name to book, applied in this order within a group.
        durable: the books whose callers wait until the disk has it.
        load: how many are at work that may put something soon. A group is written at once if it holds three quarters
            as many items, and else after a millisecond: one alone never waits, and a crowd goes together.
    """

    def __init__(
        self,
        database: Database,
        books: dict[str, Book],
        *,
        durable: frozenset[str],
        load: Callable[[], int] = lambda: 0,
    ) -> None:
        self._books = books
        self._load = load
        self._count = 0
        self._timer: asyncio.TimerHandle | None = None
        self._durable = durable
        self._pending: dict[str, list[_Waiting]] = {name: [] for name in books}
        self._scheduled = False
        self._busy_since = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False
        backend = _Postgres if database.engine.dialect.name == "postgresql" else _Sqlite
        self._backend: _Backend = backend(database, self._apply)

    def put(self, book: str, item: Any) -> asyncio.Future[Any]:
        """A future with what the book says of `item`. It is written even if nobody waits for the future.

        Raises (in the future):
            StoreError: the group could not be committed; none of it was.
        """
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        if self._closed:
            future.set_exception(StoreError("the gateway is closing", "try again"))
            return future
        self._loop = loop
        self._pending[book].append(_Waiting(item, future))
        self._count += 1
        if not self._scheduled:
            if 4 * self._count >= 3 * self._load():
                self._scheduled = True
                loop.call_soon(self._flush)
            elif self._timer is None:
                self._timer = loop.call_later(_GATHER_S, self._flush)
        return future

    def _flush(self) -> None:
        self._scheduled = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        group = {name: items for name, items in self._pending.items() if items}
        if not group:
            return
        assert self._loop is not None
        durable = any(name in self._durable for name in group)
        if self._backend.commit(group, self._loop, self._finish, durable=durable):
            self._pending = {name: [] for name in self._books}
            self._count = 0
            self._busy_since = 0.0
            return
        # Another process writes just now. Its transactions are short; the loop goes on meanwhile.
        self._busy_since = self._busy_since or time.monotonic()
        if time.monotonic() - self._busy_since > _BUSY_S:
            self._pending = {name: [] for name in self._books}
            self._count = 0
            self._busy_since = 0.0
            self._finish(group, StoreError("the database is held by another process", "end it, then try again"))
            return
        self._scheduled = True
        self._loop.call_later(_PAUSE_S, self._flush)

    def _apply(self, tx: Tx, group: dict[str, list[_Waiting]]) -> None:
        for name, book in self._books.items():
            items = group.get(name, [])
            results = book(tx, [w.item for w in items]) if items else []
            for waiting, result in zip(items, results, strict=True):
                waiting.result = result

    def _finish(self, group: dict[str, list[_Waiting]], error: Exception | None = None, which: str = "all") -> None:
        """Tell those who wait; `which` is "early" (no durability asked for), "late" or "all"."""
        for name, items in group.items():
            if (which == "early" and name in self._durable) or (which == "late" and name not in self._durable):
                continue
            for waiting in items:
                if waiting.future.done():
                    continue
                if error is not None:
                    waiting.future.set_exception(error)
                    waiting.future.exception()  # it is known: nobody need ask
                elif isinstance(waiting.result, Exception):
                    waiting.future.set_exception(waiting.result)
                    waiting.future.exception()
                else:
                    waiting.future.set_result(waiting.result)

    async def drain(self) -> None:
        """Wait until everything put so far is on disk or has failed."""
        while any(self._pending.values()) or self._backend.busy():
            await asyncio.sleep(0.001)

    def close(self) -> None:
        """Write what is waiting, then stop. Call `drain` first while the loop still runs."""
        if self._closed:
            return
        self._closed = True
        group = {name: items for name, items in self._pending.items() if items}
        self._backend.close(group)


Group = dict[str, list[_Waiting]]
Finish = Callable[..., None]
Entry = tuple[Group, asyncio.AbstractEventLoop, Finish]


class _Backend(Protocol):
    def commit(self, group: Group, loop: asyncio.AbstractEventLoop, finish: Finish, *, durable: bool) -> bool:
        """False if another process writes just now; `durable` says whether anybody waits for the disk."""
        ...

    def busy(self) -> bool: ...

    def close(self, group: Group) -> None: ...


class _Sqlite:
    def __init__(self, database: Database, apply: Callable[[Tx, Group], None]) -> None:
        self._path = str(database.engine.url.database)
        self._apply = apply
        self._connection = sqlite3.connect(
            self._path, isolation_level=None, check_same_thread=False, cached_statements=256, timeout=0
        )
        self._cursor = self._connection.cursor()
        self._cursor.execute("PRAGMA journal_mode=WAL")
        self._cursor.execute("PRAGMA synchronous=NORMAL")  # synced below, for many groups at once
        self._cursor.execute("PRAGMA wal_autocheckpoint=0")  # copying pages must not stop the event loop
        self._tx = Tx(self._cursor, postgres=False)
        self._disk = Disk(self._path, self._synced)
        self._unsynced: list[Entry] = []
        self._at_work: list[Entry] = []

    def commit(self, group: Group, loop: asyncio.AbstractEventLoop, finish: Finish, *, durable: bool) -> bool:
        try:
            self._cursor.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if "locked" in str(error) or "busy" in str(error):
                return False
            finish(group, _told(error))
            return True
        try:
            self._apply(self._tx, group)
            self._cursor.execute("COMMIT")
        except Exception as error:  # all of the group or none of it
            with contextlib.suppress(sqlite3.Error):
                self._cursor.execute("ROLLBACK")
            alone = _alone(group)
            if len(alone) == 1:
                finish(group, _told(error))
            for one in alone if len(alone) > 1 else ():  # one that can't be written must not cost the others
                if not self.commit(one, loop, finish, durable=durable):
                    finish(one, _told(error))
            return True
        finish(group, None, "early")
        if durable:
            self._unsynced.append((group, loop, finish))
            self._hand_over(loop)
        return True

    def _hand_over(self, loop: asyncio.AbstractEventLoop) -> None:
        """Give what is not durable yet to the disk, all of it at once, when it is free."""
        if not self._at_work:
            self._at_work, self._unsynced = self._unsynced, []
            self._disk.sync(loop, len(self._at_work))

    def _synced(self, error: Exception | None) -> None:
        batch, self._at_work = self._at_work, []
        if self._unsynced:
            self._hand_over(self._unsynced[0][1])
        for group, _, finish in batch:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens any more
                finish(group, error, "late")

    def busy(self) -> bool:
        return bool(self._at_work or self._unsynced)

    def close(self, group: Group) -> None:
        if group:
            self._cursor.execute("PRAGMA busy_timeout=15000")
            self._cursor.execute("BEGIN IMMEDIATE")
            try:
                self._apply(self._tx, group)
                self._cursor.execute("COMMIT")
            except Exception as error:
                _log.error("the last records could not be written: %s", error)
                with contextlib.suppress(sqlite3.Error):
                    self._cursor.execute("ROLLBACK")
        self._disk.close()
        self._connection.close()


class _Postgres:
    def __init__(self, database: Database, apply: Callable[[Tx, Group], None]) -> None:
        self._database = database
        self._apply = apply
        self._queue: queue.SimpleQueue[tuple[Group, asyncio.AbstractEventLoop, Finish] | None] = queue.SimpleQueue()
        self._waiting = 0
        self._thread = threading.Thread(target=self._run, name="group-writer")
        self._thread.start()

    def commit(self, group: Group, loop: asyncio.AbstractEventLoop, finish: Finish, *, durable: bool) -> bool:
        self._waiting += 1
        self._queue.put((group, loop, finish))
        return True

    def busy(self) -> bool:
        return self._waiting > 0

    def _run(self) -> None:
        while True:
            entry = self._queue.get()
            if entry is None:
                return
            entries = [entry]
            stop = False
            while True:
                try:
                    more = self._queue.get_nowait()
                except queue.Empty:
                    break
                if more is None:
                    stop = True
                    break
                entries.append(more)
            merged: Group = {}
            for group, _, _ in entries:
                for name, items in group.items():
                    merged.setdefault(name, []).extend(items)
            error = self._write(merged)
            alone = _alone(merged)
            if error is not None and len(alone) > 1:  # one that can't be written must not cost the others
                for one in alone:
                    self._tell_later(one, entries[0], self._write(one), last=False)
                for entry in entries:
                    self._tell_later({}, entry, None)
            else:
                for entry in entries:
                    self._tell_later(entry[0], entry, error)
            if stop:
                return

    def _tell_later(self, group: Group, entry: Any, error: Exception | None, *, last: bool = True) -> None:
        _, loop, finish = entry
        try:
            loop.call_soon_threadsafe(self._tell, group, finish, error, last)
        except RuntimeError:  # the loop is closed: nobody listens any more
            self._waiting -= last

    def _write(self, group: Group) -> Exception | None:
        try:
            with self._database.engine.begin() as connection:
                # One writer at a time over all machines: the log is one sequence, and budgets are exact.
                cursor = connection.connection.cursor()
                cursor.execute("SELECT pg_advisory_xact_lock(7236521)")
                self._apply(Tx(cursor, postgres=True), group)
        except Exception as error:
            return _told(error)
        return None

    def _tell(self, group: Group, finish: Finish, error: Exception | None, last: bool) -> None:
        self._waiting -= last
        finish(group, error)

    def close(self, group: Group) -> None:
        if group and (error := self._write(group)):
            _log.error("the last records could not be written: %s", error)
        self._queue.put(None)
        self._thread.join()


def _alone(group: Group) -> list[Group]:
    """Each item as a group of its own, in order."""
    return [{name: [waiting]} for name, items in group.items() for waiting in items]


def _told(error: Exception) -> Exception:
    if isinstance(error, StoreError):
        return error
    return StoreError(f"the database could not be used: {error}", "free space or check its permissions, then try again")
