"""Opening content, and letting it go: erasure by law, retention by policy, retirement of keys.

What is let go leaves its row's leaf in the tree and a row that says so, so the log still verifies.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from luodi.errors import IntegrityError, StoreError
from luodi.store.audit.log import LogRow, append, new_id
from luodi.store.audit.payload import PayloadKey, PayloadKeys, seal_again, unseal
from luodi.store.audit.reading import snapshot
from luodi.store.tx import Tx, tx_of

if TYPE_CHECKING:
    from luodi.store import Store
    from luodi.store.database import Database

_IDS = 1000  # ids a row of erasure names
_BODIES = 20_000  # rows let go in one transaction, so that others wait for a tenth of a second at most
_DAY_MS = 86_400_000
_GRACE_S = 60.0  # others may still be writing what they sealed with the key before


@dataclass(frozen=True, slots=True)
class Erased:
    """Ids whose content was erased, those that had none, and whether the disk still holds it in a log being read."""

    ids: tuple[str, ...]
    without: tuple[str, ...]
    lingers: bool


@dataclass(frozen=True, slots=True)
class Retained:
    """How many bodies and payloads went, and the first and last row whose bodies did."""

    bodies: int
    payloads: int
    first_seq: int | None
    last_seq: int | None


@contextmanager
def erasing(database: Database) -> Iterator[Tx]:
    """A transaction in which SQLite overwrites what is deleted with zeros."""
    with database.begin() as connection:
        tx = tx_of(connection)
        if connection.dialect.name == "sqlite":
            tx.all("PRAGMA secure_delete=ON")
        yield tx


def purge(database: Database) -> bool:
    """Clear the copies that deleted rows leave in the write-ahead log (SQLite) or in dead rows (PostgreSQL).

    Returns whether some are left, because somebody is reading.
    """
    raw = database.engine.raw_connection()
    try:
        if database.engine.dialect.name == "postgresql":
            connection: Any = raw.driver_connection
            before, connection.autocommit = connection.autocommit, True
            connection.execute("VACUUM payloads")
            connection.autocommit = before
            return False
        cursor = raw.cursor()
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        busy: Any = cursor.fetchone()
        return bool(busy[0])
    finally:
        raw.close()


def _tell(tx: Tx, kind: str, actor: str, subject: str, data: dict[str, Any], now_ms: int) -> None:
    append(tx, [LogRow(new_id("evt"), now_ms, kind, actor, subject, body={"data": data})])


def subject_digest(key: PayloadKey, subject: str) -> str:
    """Names an erased person to those who hold the key, and to nobody once it is retired."""
    return hmac.new(key.secret, b"luodi subject\0" + subject.encode(), sha256).hexdigest()


def erase(
    store: Store, *, ids: Sequence[str] = (), subject: str = "", reason: str, actor: str, now_ms: int = 0
) -> Erased:
    """Erase the content of records, or all of a person's; a row `audit.erased` names the ids and the reason.

    With `subject`, the values that stand behind that person's placeholders go, too.

    Raises:
        StoreError: an id that is not in the log, or nothing to erase.
    """
    database, keys = store.database, PayloadKeys(store.keys.root)
    now_ms = now_ms or _now()
    with snapshot(database) as tx:
        for id in ids:
            if not tx.all("SELECT 1 FROM log WHERE id = ?", (id,)):
                raise StoreError(f"there is no record {id!r}", "`luodi audit ls` lists the newest")
        there = [id for id in dict.fromkeys(ids) if tx.all("SELECT 1 FROM payloads WHERE id = ?", (id,))]
        without = [id for id in dict.fromkeys(ids) if id not in set(there)]
        if subject:
            there += [id for (id,) in tx.all("SELECT id FROM payloads WHERE subject = ? ORDER BY id", (subject,))]
            there = list(dict.fromkeys(there))
    values = 0
    if subject:
        with erasing(database) as tx:
            values = tx.run("DELETE FROM vault WHERE subject = ?", (subject,))
    if not there and not without and not values:
        raise StoreError(f"there is no content of {subject!r}", "`luodi audit show ID` says whose content a record has")
    about: dict[str, Any] = {"reason": reason}
    if subject:
        key = keys.current()
        about |= {"subject_digest": subject_digest(key, subject), "key": key.number}
        about |= {"vault": values} if values else {}
    for n in range(0, max(len(there), 1 if values else 0), _IDS):
        part = there[n : n + _IDS]
        with erasing(database) as tx:
            tx.many("DELETE FROM payloads WHERE id = ?", [(id,) for id in part])
            _tell(tx, "audit.erased", actor, "content", about | {"ids": part}, now_ms)
    return Erased(tuple(there), tuple(without), purge(database))


def retain(
    store: Store, *, days: float | None = None, content_days: float | None = None, actor: str, now_ms: int = 0
) -> Retained:
    """Let go of bodies older than `days` and of content older than `content_days`; None keeps them for ever.

    Leaves stay, and rows about the log itself (`audit.…`) keep their bodies: they explain what is missing.
    """
    database = store.database
    now_ms = now_ms or _now()
    bodies = payloads = 0
    first: int | None = None
    last: int | None = None
    if content_days is not None:
        before = now_ms - int(content_days * _DAY_MS)
        while True:
            with erasing(database) as tx:
                old = tx.all(f"SELECT id FROM payloads WHERE time_ms < ? ORDER BY time_ms LIMIT {_IDS}", (before,))  # noqa: S608
                if not old:
                    break
                tx.many("DELETE FROM payloads WHERE id = ?", old)
                data = {"content_before_ms": before, "payloads": len(old)}
                _tell(tx, "audit.retention", actor, "content", data, now_ms)
                payloads += len(old)
    if days is not None:
        before = now_ms - int(days * _DAY_MS)
        while (done := _let_go(database, before, actor, now_ms)) is not None:
            count, low, high = done
            bodies += count
            first = low if first is None else first
            last = high
    if bodies or payloads:
        purge(database)
    return Retained(bodies, payloads, first, last)


def _let_go(database: Database, before: int, actor: str, now_ms: int) -> tuple[int, int, int] | None:
    """One batch of bodies; (how many, first row, last row), or None when there are no more."""
    with erasing(database) as tx:
        kept = "body IS NOT NULL AND substr(kind, 1, 6) <> 'audit.'"
        young = tx.all("SELECT min(seq) FROM log WHERE time_ms >= ?", (before,))[0][0]
        end = young if young is not None else tx.all("SELECT size FROM log_state")[0][0]
        low = tx.all(f"SELECT min(seq) FROM log WHERE seq < ? AND {kept}", (end,))[0][0]  # noqa: S608
        if low is None:
            return None
        high = min(low + _BODIES, end) - 1
        count = tx.run(f"UPDATE log SET body = NULL WHERE seq BETWEEN ? AND ? AND {kept}", (low, high))  # noqa: S608
        stay = tx.all("SELECT seq FROM log WHERE seq BETWEEN ? AND ? AND body IS NOT NULL ORDER BY seq", (low, high))
        data = {
            "before_ms": before, "first_seq": low, "last_seq": high, "bodies": count, "kept": [seq for (seq,) in stay],
        }  # fmt: skip
        _tell(tx, "audit.retention", actor, "bodies", data, now_ms)
        return count, low, high


def open_payload(store: Store, id: str) -> dict[str, Any]:
    """The content of a record, once it is shown to be what its row commits to.

    Raises:
        StoreError: there is no such record, or its content was erased or never kept.
        IntegrityError: the content is not what the row commits to.
    """
    with snapshot(store.database) as tx:
        rows = tx.all("SELECT body FROM log WHERE id = ?", (id,))
        found = tx.all("SELECT sealed FROM payloads WHERE id = ?", (id,))
    if not rows:
        raise StoreError(f"there is no record {id!r}", "`luodi audit ls` lists the newest")
    if not found:
        raise StoreError(f"there is no content of {id}", "it was erased, or never kept")
    commitment, data = unseal(id, bytes(found[0][0]), PayloadKeys(store.keys.root))
    if rows[0][0] is None or json.loads(rows[0][0]).get("content") != commitment:
        raise IntegrityError(f"the content of {id} is not what its row commits to", "`luodi audit verify` says more")
    opened: dict[str, Any] = json.loads(data)
    return opened


def retire(store: Store, number: int, *, actor: str, grace_s: float = _GRACE_S, now_ms: int = 0) -> int:
    """Seal again with the newest key what key `number` sealed, then delete that key; returns how many payloads.

    Values of conversations (`store.vault`) are sealed again, too. Kept answers are not: they are made anew.

    Raises:
        StoreError: it is the key in use, or its successor is younger than `grace_s` seconds.
    """
    keys = PayloadKeys(store.keys.root)
    old, new = keys.get(number), keys.current()
    if number == new.number:
        raise StoreError(f"key {number} is in use", "`luodi audit rekey` makes a new one first")
    if keys.age_s(new.number) < grace_s:
        raise StoreError(
            f"key {new.number} is younger than {grace_s:g} s: others may still write with key {number}",
            f"wait, then `luodi audit rekey --retire {number}`",
        )
    done, id = 0, ""
    while True:
        with erasing(store.database) as tx:
            sql = "SELECT id, sealed FROM payloads WHERE id > ? AND substr(sealed, 1, 5) = ? ORDER BY id LIMIT 500"
            found = tx.all(sql, (id, old.head))
            again = [(seal_again(each, bytes(sealed), keys, new), each) for each, sealed in found]
            tx.many("UPDATE payloads SET sealed = ? WHERE id = ?", again)
            if not found:
                data = {"number": number, "successor": new.number, "payloads": done}
                _tell(tx, "audit.key_retired", actor, f"payload-{number}", data, now_ms or _now())
                break
            done += len(found)
            id = found[-1][0]
    _vault_again(store, old, new)
    keys.remove(number)
    purge(store.database)
    return done


def _vault_again(store: Store, old: PayloadKey, new: PayloadKey) -> None:
    from luodi.store.sealing import Sealing
    from luodi.store.vault import seal_again as vault_again

    sealing, after = Sealing(store), ("", "")
    while True:
        with erasing(store.database) as tx:
            after = vault_again(tx, sealing, old, new, after)
        if after == ("", ""):
            return


def _now() -> int:
    from luodi.store.database import now_ms

    return now_ms()
