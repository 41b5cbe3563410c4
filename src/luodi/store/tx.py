"""One transaction in plain SQL: what the hot paths use, where SQLAlchemy's statements cost too much.

SQL is written once, with `?` for parameters, and runs on SQLite and PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection


class Tx:
    """Statements inside a transaction that somebody else begins and ends."""

    def __init__(self, cursor: Any, *, postgres: bool) -> None:
        self._cursor = cursor
        self._postgres = postgres

    def _sql(self, sql: str) -> str:
        return sql.replace("?", "%s") if self._postgres else sql

    def all(self, sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Rows of a query."""
        self._cursor.execute(self._sql(sql), params)
        found: list[tuple[Any, ...]] = self._cursor.fetchall()
        return found

    def run(self, sql: str, params: Sequence[Any] = ()) -> int:
        """How many rows a statement changed."""
        self._cursor.execute(self._sql(sql), params)
        return int(self._cursor.rowcount)

    def many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """One statement for each of `rows`."""
        if rows:
            self._cursor.executemany(self._sql(sql), rows)


def tx_of(connection: Connection) -> Tx:
    """The transaction that a SQLAlchemy connection is in."""
    return Tx(connection.connection.cursor(), postgres=connection.dialect.name == "postgresql")
