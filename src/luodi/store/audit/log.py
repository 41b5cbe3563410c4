"""The log: every call and every admin action is a row, and each row a leaf of one Merkle tree (RFC 6962)."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from luodi.errors import StoreError
from luodi.store.audit.canonical import canonical
from luodi.store.audit.tree import Frontier
from luodi.store.tx import Tx

# The columns of a row that its body repeats, so that none can be changed apart from the leaf.
COLUMNS = ("seq", "id", "time_ms", "kind", "actor", "subject", "outcome", "cost_nano_usd")
_TAKEN = frozenset(COLUMNS)
_WIDTH = {"kind": 60, "actor": 200, "subject": 200, "outcome": 20}
_INSERT = f"INSERT INTO log ({', '.join(COLUMNS)}, body, leaf) VALUES ({', '.join('?' * 10)})"  # noqa: S608 - constants


class LogRow(NamedTuple):
    """One row to be.

    Args:
        id: up to 40 characters, unique in the log; see `new_id`.
        kind: "call", or the admin action: "key.made", "release.live", …
        actor: key id of a call, person of an action.
        subject: release of a call, object of an action.
        body: what else the leaf covers, as canonical JSON can hold it (no floats). A call's names
            `release_digest`, and in `content` the commitment to its sealed payload.
    """

    id: str
    time_ms: int
    kind: str
    actor: str
    subject: str
    outcome: str = ""
    cost_nano_usd: int = 0
    body: dict[str, Any] = {}  # noqa: RUF012 - never written to


def new_id(prefix: str) -> str:
    """A random id of 96 bits."""
    return f"{prefix}_{secrets.token_hex(12)}"


def fit(column: str, text: str) -> str:
    """What a column holds of a text; the body has all of it. (PostgreSQL keeps no NUL and counts characters.)"""
    return text if len(text) <= _WIDTH[column] and "\0" not in text else text.replace("\0", "")[: _WIDTH[column]]


def encode(row: LogRow, seq: int) -> bytes:
    """The leaf's data: canonical JSON of the row at its place.

    Raises:
        StoreError: something that canonical JSON can't hold, or a body that contradicts the columns.
    """
    body = row.body
    columns: dict[str, Any] = {
        "seq": seq, "id": row.id, "time_ms": row.time_ms, "kind": row.kind, "actor": row.actor,
        "subject": row.subject, "outcome": row.outcome, "cost_nano_usd": row.cost_nano_usd,
    }  # fmt: skip
    if not _TAKEN.isdisjoint(body):
        for name in _TAKEN & body.keys():
            if body[name] != columns[name]:
                raise StoreError(
                    f"the body of {row.id!r} says {name} {body[name]!r}, its column {columns[name]!r}",
                    "give it another name in the body",
                )
    if not 0 < len(row.id) <= 40 or "\0" in row.id:
        raise StoreError(f"{row.id!r} is no id of a log row", "use up to 40 characters")
    return canonical(body | columns)


def append(tx: Tx, rows: Sequence[LogRow]) -> list[int]:
    """Add rows in the transaction of what they tell of; returns their places in the log, from 0.

    Appenders take turns: on SQLite the caller is in BEGIN IMMEDIATE, on PostgreSQL the first statement locks the
    state until the transaction ends.

    Raises:
        StoreError: a row that can't be written; none of `rows` is then, and nothing of the log has changed.
    """
    if not rows:
        return []
    state = tx.all('UPDATE log_state SET size = size WHERE "only" = 1 RETURNING size, frontier')
    if not state:
        raise StoreError("the log's state is missing", "restore the database from a backup; `luodi audit verify`")
    size, packed = state[0]
    frontier = Frontier(size, packed)
    values = []
    for seq, row in enumerate(rows, size):
        data = encode(row, seq)
        leaf = sha256(b"\0" + data).digest()
        frontier.append(leaf)
        values.append(
            (
                seq, row.id, row.time_ms, fit("kind", row.kind), fit("actor", row.actor), fit("subject", row.subject),
                fit("outcome", row.outcome), row.cost_nano_usd, data.decode(), leaf,
            )
        )  # fmt: skip
    tx.many(_INSERT, values)
    tx.run('UPDATE log_state SET size = ?, frontier = ? WHERE "only" = 1', (frontier.size, frontier.packed()))
    return list(range(size, frontier.size))
