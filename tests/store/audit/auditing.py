"""What the audit's tests share: a log with calls, content and a registered release, and a hand in the database."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

from sqlalchemy import insert

from luodi.store import Store
from luodi.store.audit import (
    LogRow,
    PayloadKeys,
    PayloadRow,
    Problem,
    Report,
    append,
    make_checkpoint,
    put,
    seal,
    verify,
)
from luodi.store.audit.canonical import canonical
from luodi.store.audit.tree import Frontier
from luodi.store.migrations import releases
from luodi.store.tx import tx_of

DIGEST = "ab" * 32
START_MS = 1_790_000_000_000


def call_row(number: int, content: str = "", **body: Any) -> LogRow:
    extra = {
        "release_digest": DIGEST,
        "surface": "chat",
        "verdicts": [{"check": "attack", "score_micro": 1200}],
        **body,
    }
    if content:
        extra["content"] = content
    id = f"rec_{number:08d}"
    return LogRow(
        id, START_MS + number * 1000, "call", f"k{number % 3}", "helpdesk@1", "generated", 3900 + number, extra
    )


def fill(store: Store, count: int, *, start: int = 0, content: bool = True, checkpoint_every: int = 0) -> None:
    """Calls of a release that passed, each with sealed content; content of call N belongs to user:N%4."""
    keys = PayloadKeys(store.keys.root)
    with store.database.begin() as connection:
        if start == 0:
            row = {"name": "helpdesk", "version": 1, "digest": DIGEST, "verdict": "pass", "time_ms": START_MS}
            connection.execute(insert(releases).values(row))
    step = checkpoint_every or count
    for low in range(start, start + count, step):
        rows, payloads = [], []
        for n in range(low, min(low + step, start + count)):
            commitment = ""
            if content:
                commitment, sealed = seal(f"rec_{n:08d}", text_of(n), keys.current())
                payloads.append(PayloadRow(f"rec_{n:08d}", START_MS + n * 1000, f"user:{n % 4}", sealed))
            rows.append(call_row(n, commitment))
        with store.database.begin() as connection:
            append(tx_of(connection), rows)
            put(tx_of(connection), payloads)
        if checkpoint_every:
            make_checkpoint(store)


def text_of(number: int) -> dict[str, Any]:
    return {"messages": [["user", f"question {number} 你好"]], "answer": f"answer {number}", "temperature": 0.7}


def run(store: Store, sql: str, *params: Any) -> int:
    """What somebody does who can write to the database."""
    with store.database.begin() as connection:
        return tx_of(connection).run(sql, params)


def ask(store: Store, sql: str, *params: Any) -> list[tuple[Any, ...]]:
    with store.database.begin() as connection:
        return tx_of(connection).all(sql, params)


def body_of(store: Store, seq: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ask(store, "SELECT body FROM log WHERE seq = ?", seq)[0][0])
    return found


def set_body(store: Store, seq: int, body: dict[str, Any], *, leaf: bool) -> None:
    data = canonical(body)
    run(store, "UPDATE log SET body = ? WHERE seq = ?", data.decode(), seq)
    if leaf:
        run(store, "UPDATE log SET leaf = ? WHERE seq = ?", sha256(b"\0" + data).digest(), seq)


def rebuild_state(store: Store) -> None:
    """The tree over the leaves as they are now."""
    frontier = Frontier()
    for (leaf,) in ask(store, "SELECT leaf FROM log ORDER BY seq"):
        frontier.append(bytes(leaf))
    run(store, 'UPDATE log_state SET size = ?, frontier = ? WHERE "only" = 1', frontier.size, frontier.packed())


def resign(store: Store) -> None:
    """The insider: every checkpoint again, over the log as it is now, with the real key."""
    from luodi.store.audit.note import Checkpoint, origin_of, sign

    leaves = [bytes(leaf) for (leaf,) in ask(store, "SELECT leaf FROM log ORDER BY seq")]
    for (size,) in ask(store, "SELECT size FROM log_checkpoints"):
        if size > len(leaves):
            run(store, "DELETE FROM log_checkpoints WHERE size = ?", size)
            continue
        frontier = Frontier()
        for leaf in leaves[:size]:
            frontier.append(leaf)
        note = sign(Checkpoint(origin_of(leaves[0]), size, frontier.root()), store.keys)
        run(store, "UPDATE log_checkpoints SET note = ? WHERE size = ?", note, size)


def kinds(report: Report) -> list[str]:
    return [p.kind for p in report.problems]


def problems(store: Store, **options: Any) -> list[Problem]:
    return verify(store, **options).problems
