"""What people say of an answer: one mark for a call, which may be changed; it counts in the call's experiment."""

from __future__ import annotations

import json
from typing import Any

from luodi.gateway.experiment.tally import Count, add
from luodi.gateway.problem import Problem
from luodi.store import Store
from luodi.store.database import now_ms
from luodi.store.tx import tx_of

LONGEST = 2000  # characters of a note


def give(store: Store, record: str, good: bool, *, actor: str, note: str = "") -> dict[str, Any]:
    """Mark an answer as good or bad. Whoever calls this has checked that `actor` may.

    The note is kept beside the mark and not in the log.

    Raises:
        Problem: 404, there is no such call.
    """
    with store.database.begin() as connection:
        tx = tx_of(connection)
        found = tx.all("SELECT body FROM log WHERE id=? AND kind='call'", (record,))
        if not found:
            raise Problem(404, "not_found_error", f"there is no record {record!r}", code="record_not_found")
        before = tx.all("SELECT good FROM feedback WHERE record=?", (record,))
        tx.run("DELETE FROM feedback WHERE record=?", (record,))
        tx.run(
            "INSERT INTO feedback (record, time_ms, good, note) VALUES (?,?,?,?)",
            (record, now_ms(), int(good), note[:LONGEST]),
        )
        where = json.loads(found[0][0] or "{}").get("experiment") or {}
        if where.get("id"):
            values = {"bad": float(not good)}
            if not before:
                add(tx, [Count(where["id"], where["arm"], where["stage"], values)])
            elif bool(before[0][0]) != good:
                change = 1.0 if not good else -1.0
                tx.run(
                    "UPDATE tallies SET total=total+?, squares=squares+? "
                    "WHERE experiment=? AND arm=? AND stage=? AND metric='bad'",
                    (change, change, where["id"], where["arm"], where["stage"]),
                )
        store.database.log(connection, actor, "feedback", record, good=good)
    return {"record": record, "good": good}
