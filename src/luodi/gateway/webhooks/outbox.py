"""The table `deliveries` as a queue. A row is sent by the one worker that has claimed it.

To claim is to move `next_ms` from what was read to the end of a lease, in one statement. A worker that dies keeps its
rows until the lease ends; then others send them: at least once, seldom twice.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

from luodi.errors import LuodiError
from luodi.gateway.events import emit
from luodi.gateway.webhooks.hooks import Hook
from luodi.store import Store
from luodi.store.audit.reading import snapshot
from luodi.store.database import now_ms
from luodi.store.tx import Tx, tx_of

LEASE_MS = 30_000  # longer than an attempt may take
ATTEMPTS = 11  # the last about a day after the first
KEPT_MS = 7 * 86_400_000
# A budget's event is what says that it was told: it stays until the month is over.
_BUDGETS_KEPT_MS = 40 * 86_400_000
_STALE_MS = 86_400_000  # an event that no gateway was there to take
_FIRST_MS, _LONGEST_MS = 5_000, 6 * 3_600_000


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event on its way to one webhook. `done_ms` is 0 while it waits; `status` is of the last attempt."""

    seq: int
    id: str
    time_ms: int
    kind: str
    hook: str
    body: str
    attempts: int
    next_ms: int
    done_ms: int
    status: str

    def as_dict(self) -> dict[str, Any]:
        """For `--json`; without the body."""
        return {k: v for k, v in asdict(self).items() if k != "body"}


_ALL = "seq, id, time_ms, kind, hook, body, attempts, next_ms, COALESCE(done_ms, 0), status"


def pause_ms(attempts: int) -> int:
    """How long to wait after so many attempts: four times as long each time, up to six hours, a fifth by chance."""
    base: int = min(_LONGEST_MS, _FIRST_MS * 4 ** (attempts - 1))
    return int(base * random.uniform(0.8, 1.2))


def due(tx: Tx, now: int) -> set[str]:
    """The hooks that have something to be sent now; "" if events wait to be given to webhooks."""
    rows = tx.all("SELECT DISTINCT hook FROM deliveries WHERE done_ms IS NULL AND next_ms <= ?", (now,))
    return {row[0] for row in rows}


def spread(tx: Tx, hooks: Iterable[Hook], now: int) -> int:
    """Give events to the webhooks that ask for their kind; how many rows that made."""
    made, hooks = 0, list(hooks)
    rows = tx.all(
        "SELECT seq, id, time_ms, kind, body FROM deliveries WHERE done_ms IS NULL AND hook = '' ORDER BY seq LIMIT 200"
    )
    for seq, id, time_ms, kind, body in rows:
        wanted = [h.name for h in hooks if h.wants(kind)] if time_ms > now - _STALE_MS else []
        told = f"given to {len(wanted)}"
        # Of several workers one changes the row.
        if not tx.run("UPDATE deliveries SET done_ms=?, status=? WHERE seq=? AND done_ms IS NULL", (now, told, seq)):
            continue
        tx.many(
            "INSERT INTO deliveries (id, time_ms, kind, hook, body, attempts, next_ms, done_ms, status) "
            "VALUES (?,?,?,?,?,0,?,NULL,'')",
            [(id, time_ms, kind, hook, body, now) for hook in wanted],
        )
        made += len(wanted)
    return made


def claim(tx: Tx, hook: str, most: int, now: int) -> list[Delivery]:
    """Up to `most` rows of a hook that this worker alone sends until the lease ends."""
    rows = tx.all(
        f"SELECT {_ALL} FROM deliveries WHERE done_ms IS NULL AND next_ms <= ? AND hook = ? "  # noqa: S608 - constants
        "ORDER BY next_ms, seq LIMIT ?",
        (now, hook, most),
    )
    until = now + LEASE_MS
    return [
        replace(Delivery(*row), attempts=row[6] + 1, next_ms=until)
        for row in rows
        if tx.run(
            "UPDATE deliveries SET next_ms=?, attempts=attempts+1 WHERE seq=? AND next_ms=? AND done_ms IS NULL",
            (until, row[0], row[7]),
        )
    ]


def finish(tx: Tx, sent: Delivery, status: str, now: int, *, done: bool) -> None:
    """What came of an attempt. One that is not done is tried again, until it has been tried often enough."""
    done = done or sent.attempts >= ATTEMPTS
    # Where the lease ran out and another worker sends it by now, only good news counts.
    lease = "" if done and status.startswith("2") else " AND next_ms=?"
    tx.run(
        f"UPDATE deliveries SET done_ms=?, next_ms=?, status=? WHERE seq=? AND done_ms IS NULL{lease}",  # noqa: S608
        (now if done else None, now + pause_ms(sent.attempts), status[:200], sent.seq, *([sent.next_ms] * bool(lease))),
    )


def purge(store: Store) -> int:
    """Forget what was delivered or given up a week ago; how many rows went."""
    now = now_ms()
    with store.database.begin() as connection:
        tx = tx_of(connection)
        gone = tx.run(
            "DELETE FROM deliveries WHERE done_ms < ? AND (kind <> 'budget.reached' OR hook <> '' OR time_ms < ?)",
            (now - KEPT_MS, now - _BUDGETS_KEPT_MS),
        )
        # Where no webhook is set up, or one was taken away, nobody tries them.
        gone += tx.run("DELETE FROM deliveries WHERE done_ms IS NULL AND next_ms < ?", (now - KEPT_MS,))
    return gone


def ping(store: Store, hook: str, *, actor: str) -> Delivery:
    """A `ping` for one webhook, claimed already: the caller sends it."""
    with store.database.begin() as connection:
        tx = tx_of(connection)
        id = emit(tx, "ping", {"webhook": hook}, hook=hook)
        store.database.log(connection, actor, "webhook.tested", hook, event=id)
        seq, waiting = tx.all("SELECT seq, next_ms FROM deliveries WHERE id = ?", (id,))[0]
        tx.run("UPDATE deliveries SET attempts=1, next_ms=? WHERE seq=?", (waiting + LEASE_MS, seq))
        return Delivery(*tx.all(f"SELECT {_ALL} FROM deliveries WHERE seq = ?", (seq,))[0])  # noqa: S608 - constants


def deliveries(store: Store, *, hook: str = "", most: int = 50) -> list[Delivery]:
    """The newest deliveries first."""
    with snapshot(store.database) as tx:
        where, values = ("hook = ?", [hook]) if hook else ("hook <> ''", [])
        sql = f"SELECT {_ALL} FROM deliveries WHERE {where} ORDER BY seq DESC LIMIT ?"  # noqa: S608 - constants
        return [Delivery(*row) for row in tx.all(sql, (*values, most))]


def retry(store: Store, id: str, *, actor: str) -> int:
    """Send an event again now, to all webhooks that did not take it; how many those are.

    Raises:
        LuodiError: there is no such event, several start with `id`, or all have taken it.
    """
    with store.database.begin() as connection:
        tx = tx_of(connection)
        pattern = id.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        found = {
            r[0] for r in tx.all("SELECT id FROM deliveries WHERE id LIKE ? ESCAPE '\\' AND hook <> ''", (pattern,))
        }
        if len(found) != 1 or len(id) < 4:
            raise LuodiError(
                f"{'several deliveries start' if len(found) > 1 else 'no delivery starts'} with {id!r}",
                "`luodi webhook deliveries` lists them",
            )
        event = found.pop()
        again = tx.run(
            "UPDATE deliveries SET done_ms=NULL, attempts=0, next_ms=? "
            "WHERE id=? AND hook <> '' AND (done_ms IS NULL OR SUBSTR(status, 1, 1) <> '2')",
            (now_ms(), event),
        )
        if not again:
            raise LuodiError(f"{event} has been taken by all its webhooks", "nothing is left to be sent")
        store.database.log(connection, actor, "webhook.retried", event, deliveries=again)
    return again
