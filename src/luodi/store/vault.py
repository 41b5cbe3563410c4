"""Values behind placeholders, kept for a while: sealed rows, filed under whose conversation they belong to.

A scope is a digest of owner and conversation, so one owner can neither name nor guess another's rows; the scope and the
placeholder are part of what a value is sealed for, so a row copied to another scope does not open.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from hashlib import sha256
from typing import TYPE_CHECKING

from luodi.errors import LuodiError
from luodi.store.audit.payload import PayloadKey
from luodi.store.sealing import Sealing
from luodi.store.tx import Tx, tx_of

if TYPE_CHECKING:
    from luodi.store import Store

SECRET = ""  # the placeholder of the row that holds a conversation's own key
_BATCH = 500


def scope_of(owner: str, conversation: str) -> str:
    """Where the values of one owner's conversation are filed."""
    return sha256(f"{len(owner)}:{owner}{conversation}".encode("utf-8", "surrogatepass")).hexdigest()


def _about(scope: str, placeholder: str) -> bytes:
    return f"vault\0{scope}\0{placeholder}".encode()


class VaultRows:
    """The table `vault` of a store.

    Args:
        keep_s: how long a value stays after it was put in; one that ended is not given out.
    """

    def __init__(self, store: Store, *, keep_s: float = 30 * 86_400.0) -> None:
        self._store = store
        self._sealing = Sealing(store)
        self._keep_ms = int(keep_s * 1000)

    def load(self, scope: str) -> dict[str, bytes]:
        """Values by placeholder that have not ended. What cannot be opened any more is left out."""
        with self._store.database.begin() as connection:
            rows = tx_of(connection).all(
                "SELECT placeholder, sealed FROM vault WHERE scope = ? AND expires_ms > ?", (scope, _now())
            )
        found = {}
        for placeholder, sealed in rows:
            try:
                found[placeholder] = self._sealing.open(bytes(sealed), _about(scope, placeholder))
            except LuodiError:
                continue
        return found

    def rows(self, scope: str, subject: str, values: dict[str, bytes]) -> list[tuple[str, str, str, int, bytes]]:
        """What `put` writes: `values` by placeholder, sealed."""
        ends = _now() + self._keep_ms
        return [
            (scope, name, subject, ends, self._sealing.seal(value, _about(scope, name)))
            for name, value in values.items()
        ]

    def save(self, scope: str, subject: str, values: dict[str, bytes]) -> None:
        """Keep `values`; one that is there already stays as it is and lives on."""
        with self._store.database.begin() as connection:
            put(tx_of(connection), self.rows(scope, subject, values))

    def erase(self, *, scope: str = "", subject: str = "") -> int:
        """Erase a conversation, or all values of a person; how many rows went."""
        return self._delete("scope = ?" if scope else "subject = ?", scope or subject)

    def expire(self) -> int:
        """Erase what has ended; how many rows went."""
        return self._delete("expires_ms <= ?", _now())

    def _delete(self, where: str, value: object) -> int:
        with self._store.database.begin() as connection:
            tx = tx_of(connection)
            if connection.dialect.name == "sqlite":
                tx.all("PRAGMA secure_delete=ON")
            return tx.run(f"DELETE FROM vault WHERE {where}", (value,))  # noqa: S608


def put(tx: Tx, rows: Sequence[tuple[str, str, str, int, bytes]]) -> None:
    """Write rows of `VaultRows.rows`, in a transaction of the caller's."""
    tx.many(
        "INSERT INTO vault (scope, placeholder, subject, expires_ms, sealed) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (scope, placeholder) DO UPDATE SET expires_ms = excluded.expires_ms",
        rows,
    )


def seal_again(tx: Tx, sealing: Sealing, old: PayloadKey, new: PayloadKey, after: tuple[str, str]) -> tuple[str, str]:
    """Put one batch behind `after` under another key; the last row that was looked at, ("", "") at the end."""
    found = tx.all(
        "SELECT scope, placeholder, sealed FROM vault WHERE (scope > ? OR (scope = ? AND placeholder > ?))"
        " AND substr(sealed, 1, 5) = ? ORDER BY scope, placeholder LIMIT ?",
        (after[0], after[0], after[1], old.head, _BATCH),
    )
    again = [(sealing.again(bytes(sealed), _about(scope, name), new), scope, name) for scope, name, sealed in found]
    tx.many("UPDATE vault SET sealed = ? WHERE scope = ? AND placeholder = ?", again)
    return (found[-1][0], found[-1][1]) if found else ("", "")


def _now() -> int:
    return time.time_ns() // 1_000_000
