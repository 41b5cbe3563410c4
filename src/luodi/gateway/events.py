"""Events that others are told of, written in the transaction of what they tell of (a transactional outbox).

`emit` needs to know nothing of webhooks: it writes one row, for nobody yet. Any process may therefore emit, a command
as well as a worker. A gateway that serves makes of it one row for each webhook of its project file that asks for the
kind, in one transaction, and delivers those (`luodi.gateway.webhooks`). What waits longer than a day for a gateway is
not sent any more.

    budget.reached        scope, period, percent, used and limit: a budget is used to 80 % or to 100 %
    release.rolled_back   release, to, reason
    review.waiting        record, reason: an answer waits for a person
    key.revoked           key
    breaker.opened        pool, upstream, model: a worker leaves an upstream alone for a while
    key.behaviour         subject, response, score, reasons: a key stands out by what it asks
    guard.alert           record, check, category: a check found what the policy wants to be told of
    ping                  webhook: `luodi webhook test`
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from sqlalchemy import Connection

from luodi.errors import LuodiError
from luodi.store.audit import new_id
from luodi.store.database import now_ms
from luodi.store.tx import Tx, tx_of

EventKind = Literal[
    "budget.reached", "release.rolled_back", "review.waiting", "key.revoked", "breaker.opened", "guard.alert",
    "key.behaviour", "ping",
]  # fmt: skip
KINDS: tuple[str, ...] = get_args(EventKind)
LARGEST = 20_000  # bytes of an event, as the Standard Webhooks specification recommends
EVERYBODY = ""  # the hook of a row that is not yet given to webhooks
_INSERT = (
    "INSERT INTO deliveries (id, time_ms, kind, hook, body, attempts, next_ms, done_ms, status) "
    "VALUES (?,?,?,?,?,0,?,NULL,'')"
)


def emit(connection: Connection | Tx, kind: str, data: dict[str, Any], *, id: str = "", hook: str = EVERYBODY) -> str:
    """Tell of something, if and when the transaction is committed; the event's id.

    Args:
        data: what JSON can hold. Nothing of what callers asked or were answered belongs in it.
        id: of the event, if the caller has one that is the same whenever it tells of the same.
        hook: the name of the only webhook that is told; by default all that ask for this kind.

    Raises:
        LuodiError: there is no such kind, or `data` is too large or no JSON. The transaction is still good.
    """
    if kind not in KINDS:
        raise LuodiError(f"there is no event {kind!r}", f"the events are {', '.join(KINDS)}")
    now = now_ms()
    time = datetime.fromtimestamp(now / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    try:
        body = json.dumps({"type": kind, "timestamp": time, "data": data}, ensure_ascii=False, allow_nan=False)
        size = len(body.encode())
    except (TypeError, ValueError) as error:
        raise LuodiError(f"the data of {kind!r} can't be sent: {error}", "use what JSON can hold") from error
    if size > LARGEST:
        raise LuodiError(f"the data of {kind!r} has {size} bytes", f"an event has at most {LARGEST}")
    event = id or new_id("evt")
    tx = connection if isinstance(connection, Tx) else tx_of(connection)
    tx.run(_INSERT, (event, now, kind, hook, body, now))
    return event


def alerts(tx: Tx, items: Sequence[dict[str, Any]]) -> list[str]:
    """The book of the group writer that tells of what the guard found."""
    return [emit(tx, "guard.alert", item) for item in items]
