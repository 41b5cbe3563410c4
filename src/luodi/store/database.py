"""One database: SQLite in WAL mode by default, PostgreSQL by URL; SQLAlchemy Core on both."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DatabaseError, OperationalError

from luodi.errors import StoreError
from luodi.store.migrations import migrate
from luodi.store.tx import tx_of


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def _on_connect(connection: Any, _: Any) -> None:
    # The driver's own transaction handling is switched off (isolation_level None) so that BEGIN IMMEDIATE below
    # takes the write lock at once: two writers wait for each other and never fail half-way with "locked".
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA busy_timeout=15000")
    _use_wal(cursor)
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _use_wal(cursor: Any) -> None:
    # SQLite does not wait for its busy_timeout here: of several processes that open a new file some are told "locked".
    give_up = time.monotonic() + 15
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > give_up:
                raise
            time.sleep(0.01)


def _on_begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


# A server that is silent is found out in seconds: when connecting, and when it does not even acknowledge what is sent.
_PATIENCE = {
    "connect_timeout": 5, "tcp_user_timeout": 10_000, "keepalives_idle": 5, "keepalives_interval": 2,
    "keepalives_count": 3,
}  # fmt: skip


class Database:
    """Transactions and the audit log. `url` is a SQLAlchemy URL; see `sqlite_url` for the default."""

    def __init__(self, url: str | URL) -> None:
        self.url = url
        self.engine: Engine = self._open(url)
        try:
            with self.engine.begin() as connection:
                if self.engine.dialect.name == "postgresql":
                    connection.execute(text("SELECT pg_advisory_xact_lock(7236520)"))
                migrate(connection)
        except DatabaseError as error:
            self.engine.dispose()
            raise StoreError(
                f"the database {self.engine.url!s} can't be used: {error.orig}",
                "check that it is there, that it is a database, and that this user may write to it",
            ) from error
        except RuntimeError as error:
            self.engine.dispose()
            raise StoreError(f"the database {self.engine.url!s}: {error}", "upgrade Luodi") from error

    @staticmethod
    def _open(url: str | URL) -> Engine:
        if isinstance(url, str) and url.startswith("postgresql://"):
            url = "postgresql+psycopg://" + url.removeprefix("postgresql://")
        postgres = str(url).startswith("postgresql")
        try:
            engine = create_engine(url, pool_pre_ping=postgres, connect_args=_PATIENCE if postgres else {})
        except ModuleNotFoundError as error:
            raise StoreError(
                f"the driver {error.name!r} for {str(url).split(':')[0]} is not installed",
                "pip install 'luodi[postgres]'",
            ) from error
        except Exception as error:  # SQLAlchemy raises several unrelated types for a bad URL
            shown = re.sub(r"(://[^:/@]*):[^@]*@", r"\1:***@", str(url))
            raise StoreError(f"{shown!r} is not a database URL", "write for instance postgresql://host/name") from error
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", _on_connect)
            event.listen(engine, "begin", _on_begin)
        return engine

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """One transaction: all of it is durable when the block ends, or none of it if it raises."""
        try:
            with self.engine.begin() as connection:
                yield connection
        except DatabaseError as error:
            if type(error) not in (OperationalError, DatabaseError):
                raise  # a constraint: the caller's to explain
            raise StoreError(
                f"the database could not be used: {error.orig}", "free space or check its permissions, then try again"
            ) from error

    def log(self, connection: Connection, actor: str, kind: str, subject: str, **data: Any) -> None:
        """Add a row to the audit log, in the transaction of what it tells of.

        Raises:
            StoreError: `data` holds what canonical JSON can't, for instance a float.
        """
        from luodi.store.audit import LogRow, append, new_id

        append(tx_of(connection), [LogRow(new_id("evt"), now_ms(), kind, actor, subject, body={"data": data})])

    def close(self) -> None:
        self.engine.dispose()


def sqlite_url(path: Path) -> URL:
    """The URL of a SQLite file, as an object: in a string "?" and "%" of a path would have a meaning."""
    return URL.create("sqlite", database=str(path))
