"""Budgets that have been reached, found beside the calls and not in them.

A gateway with a webhook for it compares what was charged with the limits every few seconds, in a transaction of its
own. Settling a call knows nothing of it, so it costs a call nothing, with budgets or without. An event's id is made of
what it tells: scope, period, threshold and limit. What is in the table already has been told, so each is told once,
over all workers and restarts. A limit that is changed is another budget, and told of anew.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

from luodi.gateway.events import emit
from luodi.store import Store, digest_json
from luodi.store.audit.reading import snapshot
from luodi.store.database import now_ms
from luodi.store.tx import Tx, tx_of

PERCENTS = (80, 100)
_LATE_MS = 600_000


def reached(store: Store, told: set[str] | None = None) -> list[str]:
    """Emit what has been reached and not been told; the ids of those events.

    `told` remembers for the caller which ids need not be looked for again.
    """
    told = set() if told is None else told
    with snapshot(store.database) as tx:
        known = told | _told(tx, found := _reached(tx))
    if not found.keys() - known:
        told |= known & found.keys()
        return []
    emitted = []
    with store.database.begin() as connection:
        tx = tx_of(connection)
        if connection.dialect.name == "postgresql":  # SQLite has one writer anyway
            tx.all("SELECT pg_advisory_xact_lock(7236522)")
        found = _reached(tx)
        known = _told(tx, found)
        for id in found.keys() - known:
            emit(tx, "budget.reached", found[id], id=id)
            emitted.append(id)
    told |= known  # those of this transaction only once they are seen to be there
    return emitted


def _told(tx: Tx, found: dict[str, dict[str, object]]) -> set[str]:
    if not found:
        return set()
    rows = tx.all("SELECT id FROM deliveries WHERE kind = 'budget.reached' AND hook = ''")
    return {row[0] for row in rows} & found.keys()


def _reached(tx: Tx) -> dict[str, dict[str, object]]:
    """Event id to what it tells, of every budget that is used to a threshold in the period its meter stands at."""
    rows = tx.all(
        "SELECT l.scope, l.data, m.day, m.day_nano_usd, m.month, m.month_nano_usd FROM limits l JOIN meters m "
        "ON m.scope = l.scope WHERE l.data NOT LIKE ? OR l.data NOT LIKE ?",
        ('%"day_nano_usd": null%', '%"month_nano_usd": null%'),
    )
    found: dict[str, dict[str, object]] = {}
    # What was reached just before midnight is told just after it.
    now = [datetime.fromtimestamp(ms / 1000, UTC) for ms in (now_ms(), now_ms() - _LATE_MS)]
    days = {f"{t:%Y-%m-%d}" for t in now}
    months = {f"{t:%Y-%m}" for t in now}
    for scope, data, day, day_nano, month, month_nano in rows:
        limits = json.loads(data)
        name = f"{datetime.fromtimestamp(day * 86_400, UTC):%Y-%m-%d}"
        if name in days:
            _add(found, scope, "day", name, day_nano, limits["day_nano_usd"])
        name = f"{(month - 1) // 12:04d}-{(month - 1) % 12 + 1:02d}"
        if name in months:
            _add(found, scope, "month", name, month_nano, limits["month_nano_usd"])
    return found


def _add(found: dict[str, dict[str, object]], scope: str, period: str, name: str, used: int, limit: int | None) -> None:
    if not limit:  # a budget of nothing is a prohibition, and known to who wrote it
        return
    for percent in PERCENTS:
        if used * 100 >= limit * percent:
            id = "evt_" + digest_json([scope, period, name, percent, limit])[:24]
            found[id] = {
                "scope": scope, "period": period, "of": name, "percent": percent, "used_nano_usd": used,
                "limit_nano_usd": limit,
            }  # fmt: skip
