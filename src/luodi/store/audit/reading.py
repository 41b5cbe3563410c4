"""Reading the log as of one moment, while others go on writing."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luodi.errors import StoreError
from luodi.store.tx import Tx, tx_of

if TYPE_CHECKING:
    from luodi.store.database import Database

_BATCH = 2000


@contextmanager
def snapshot(database: Database) -> Iterator[Tx]:
    """A transaction that reads and holds nobody up: `Database.begin` would take SQLite's write lock."""
    if database.engine.dialect.name == "postgresql":
        with database.engine.connect() as plain:
            connection = plain.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                yield tx_of(connection)
        return
    path = Path(str(database.engine.url.database)).absolute()
    lite = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=15)
    lite.text_factory = _text
    try:
        lite.execute("BEGIN")
        yield Tx(lite.cursor(), postgres=False)
    except sqlite3.DatabaseError as error:
        raise StoreError(f"the database could not be read: {error}", "restore it from a backup") from error
    finally:
        lite.close()


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")  # a damaged byte must not hide the rows around it


def rows_of(tx: Tx, columns: str, low: int = 0, high: int | None = None) -> Iterator[list[tuple[Any, ...]]]:
    """Rows of the log by place, low … high - 1, in batches; `seq` is the first of `columns`."""
    # Only constants of this package are put into the statement.
    sql = f"SELECT {columns} FROM log WHERE seq >= ? AND seq < ? ORDER BY seq LIMIT {_BATCH}"  # noqa: S608
    end = high if high is not None else (1 << 62)
    while True:
        batch = tx.all(sql, (low, end))
        if batch:
            yield batch
            low = batch[-1][0] + 1
        if len(batch) < _BATCH:
            return


def leaves(tx: Tx, low: int, high: int) -> Iterator[bytes]:
    """The leaves' hashes, low … high - 1.

    Raises:
        StoreError: one of them is missing.
    """
    expected = low
    for batch in rows_of(tx, "seq, leaf", low, high):
        for seq, leaf in batch:
            if seq != expected:
                raise StoreError(f"row {expected} of the log is missing", "`luodi audit verify` says more")
            expected += 1
            yield leaf
    if expected != high:
        raise StoreError(f"row {expected} of the log is missing", "`luodi audit verify` says more")
