"""Calls that wait for a person: because their caller appealed, or because too little speaks for the answer.

The row in `reviews` says that a call waits and what was decided; what was said about it is sealed content beside the
rows `review.asked` and `review.decided` of the log, and is erased and let go like the call's own.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from luodi.errors import LuodiError
from luodi.gateway.admin.contents import GONE, open_content, read_content, write_note
from luodi.gateway.events import emit
from luodi.gateway.problem import Problem
from luodi.store import Store
from luodi.store.audit import LogRow, append, new_id
from luodi.store.audit.reading import snapshot
from luodi.store.database import now_ms
from luodi.store.tx import Tx, tx_of

Decision = Literal["upheld", "overturned"]
LONGEST_NOTE = 4000  # characters
_COLUMNS = "record, time_ms, reason, data, decision, decided_ms, reviewer"


@dataclass(frozen=True, slots=True)
class Queued:
    """A call that is put before people, and why.

    Attributes:
        reason: `confidence`, too little speaks for the answer; `guard`, a check wants it.
        data: whole numbers and words that go into the log.
    """

    record: str
    reason: str
    data: dict[str, Any]


def waiting(tx: Tx, record: str, reason: str, data: dict[str, Any]) -> bool:
    """Put a call before people, in somebody's transaction; False if it is there already.

    Every call that comes to wait comes by here, and this is where webhooks are told of it.
    """
    made = tx.run(
        "INSERT INTO reviews (record, time_ms, reason, data, decision, reviewer) VALUES (?,?,?,?,'','')"
        " ON CONFLICT (record) DO NOTHING",
        (record, now_ms(), reason, json.dumps(data)),
    )
    if made:
        _tell(tx, record, reason)
    return bool(made)


def _tell(tx: Tx, record: str, reason: str) -> None:
    emit(tx, "review.waiting", {"record": record, "reason": reason})


def queue(tx: Tx, items: Sequence[Queued]) -> list[bool]:
    """The book of the group writer."""
    done = []
    for item in items:
        made = waiting(tx, item.record, item.reason, item.data)
        if made:
            about = {"reason": item.reason, **item.data}
            append(tx, [LogRow(new_id("evt"), now_ms(), "review.waiting", "policy", item.record, body={"data": about})])
        done.append(made)
    return done


class Reviews:
    """The queue. `keep_notes` says whether content is kept at all; `redis` is where answers may be kept, too."""

    def __init__(self, store: Store, *, keep_notes: bool = True, redis: str = "") -> None:
        self._store = store
        self._keep = keep_notes
        self._redis = redis

    def ask(self, record: str, note: str, *, actor: str) -> dict[str, Any]:
        """A caller's appeal against an answer. It may be made once; a call that was decided before waits again.

        Raises:
            Problem: 404, there is no such call; 409, there was an appeal.
        """
        note = _note(note)
        with self._store.database.begin() as connection:
            tx = tx_of(connection)
            call = tx.all("SELECT 1 FROM log WHERE id=? AND kind IN ('call', 'tool')", (record,))
            if not call:
                raise not_found(record)
            tx.run("UPDATE reviews SET record=record WHERE record=?", (record,))  # one appeal after another
            before = tx.all("SELECT data FROM reviews WHERE record=?", (record,))
            data = json.loads(before[0][0]) if before else {}
            if data.get("appeal"):
                raise Problem(
                    409, "invalid_request_error", f"there was an appeal against {record}", code="asked_before"
                )
            kept = note if self._keep else ""
            event = write_note(
                self._store, connection, actor=actor, kind="review.asked", record=record, note=kept, reason="appeal"
            )
            data |= {"appeal": event, "noted": bool(kept)}
            if before:
                tx.run(
                    "UPDATE reviews SET reason='appeal', data=?, decision='', decided_ms=NULL, reviewer='', time_ms=?"
                    " WHERE record=?",
                    (json.dumps(data), now_ms(), record),
                )
                _tell(tx, record, "appeal")
            elif not waiting(tx, record, "appeal", data):
                raise Problem(
                    409, "invalid_request_error", f"there was an appeal against {record}", code="asked_before"
                )
        return {"record": record, "state": "waiting", "reason": "appeal", "note_kept": bool(kept) or not note}

    def page(self, state: str, *, limit: int, after: tuple[int, str] | None = None) -> list[dict[str, Any]]:
        """Reviews that are "waiting", the oldest first, or "decided", the newest first; behind a place."""
        if state not in ("waiting", "decided"):
            raise LuodiError(f"there is no state {state!r}", "write waiting or decided")
        waits = state == "waiting"
        where, order = ("decision=''", "ASC") if waits else ("decision<>''", "DESC")
        values: list[Any] = []
        if after is not None:
            sign = ">" if waits else "<"
            where += f" AND (time_ms{sign}? OR (time_ms=? AND record{sign}?))"
            values += [after[0], after[0], after[1]]
        sql = f"SELECT {_COLUMNS} FROM reviews WHERE {where} ORDER BY time_ms {order}, record {order} LIMIT ?"  # noqa: S608
        with snapshot(self._store.database) as tx:
            return [_told(row) for row in tx.all(sql, [*values, limit])]

    def get(self, record: str) -> dict[str, Any] | None:
        """What is known of a review without any content; None if the call never came before people."""
        with snapshot(self._store.database) as tx:
            rows = tx.all(f"SELECT {_COLUMNS} FROM reviews WHERE record=?", (record,))  # noqa: S608
        return _told(rows[0]) if rows else None

    def show(self, record: str, *, actor: str) -> dict[str, Any]:
        """A review with the call's content and what was said. That it was read is a row in the log.

        Raises:
            Problem: 404, this call never came before people.
        """
        found = self.get(record)
        if found is None:
            raise not_found(record)
        content = read_content(self._store, record, actor=actor, purpose="review")
        notes = {name: self._said(found["data"].get(name)) for name in ("appeal", "decided")}
        return found | {
            "content": content, "content_reason": None if content else GONE,
            "appeal_note": notes["appeal"], "decision_note": notes["decided"],
        }  # fmt: skip

    def _said(self, event: str | None) -> str | None:
        content = open_content(self._store, event) if event else None
        return str(content["note"]) if content else None

    def decide(
        self, record: str, decision: str, note: str, *, actor: str, own_keys: Sequence[str] = ()
    ) -> dict[str, Any]:
        """Uphold an answer, or overturn it: then it is not given again from the cache.

        Raises:
            Problem: 404, the call does not wait; 409, it was decided; 403, it is the reviewer's own call.
            LuodiError: there is no such decision.
        """
        if decision not in get_args(Decision):
            raise LuodiError(f"there is no decision {decision!r}", f"write {' or '.join(get_args(Decision))}")
        note = _note(note)
        origin = record
        with self._store.database.begin() as connection:
            tx = tx_of(connection)
            tx.run("UPDATE reviews SET record=record WHERE record=?", (record,))  # of two reviewers one decides
            rows = tx.all("SELECT data, decision FROM reviews WHERE record=?", (record,))
            if not rows:
                raise not_found(record)
            if rows[0][1]:
                raise Problem(
                    409, "invalid_request_error", f"{record} was decided: {rows[0][1]}", code="decided_before"
                )
            call = tx.all("SELECT actor, body FROM log WHERE id=?", (record,))
            if call and call[0][0] in own_keys:
                raise Problem(403, "permission_error", "nobody decides on a call of their own", code="own_call")
            if call and call[0][1]:
                origin = (json.loads(call[0][1]).get("route") or {}).get("record") or record
            event = write_note(
                self._store, connection, actor=actor, kind="review.decided", record=record,
                note=note if self._keep else "", decision=decision,
            )  # fmt: skip
            data = json.loads(rows[0][0]) | {"decided": event}
            tx.run(
                "UPDATE reviews SET decision=?, decided_ms=?, reviewer=?, data=? WHERE record=?",
                (decision, now_ms(), actor[:200], json.dumps(data), record),
            )
        if decision == "overturned":
            self._withdraw({record, origin})
        return {"record": record, "state": "decided", "decision": decision}

    def _withdraw(self, records: set[str]) -> None:
        from luodi.gateway.cache.erase import erase

        for record in records:
            erase(self._store, redis=self._redis, record=record)


def _note(note: str) -> str:
    note = note.strip()
    if len(note) > LONGEST_NOTE:
        raise LuodiError(f"a note has at most {LONGEST_NOTE} characters")
    return note


def _told(row: Sequence[Any]) -> dict[str, Any]:
    record, time_ms, reason, data, decision, decided_ms, reviewer = row
    kept = json.loads(data)
    told = {
        "record": record, "state": "decided" if decision else "waiting", "time_ms": time_ms, "reason": reason,
        "decision": decision, "decided_ms": decided_ms, "reviewer": reviewer, "data": kept,
    }  # fmt: skip
    for name in ("confidence", "below"):
        if f"{name}_micro" in kept:
            told[name] = kept[f"{name}_micro"] / 1e6
    return told


def not_found(record: str) -> Problem:
    return Problem(404, "not_found_error", f"there is no record {record!r}", code="record_not_found")
