"""What the database and Redis keep of a person: content, values behind placeholders, answers, notes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from luodi.errors import LuodiError, StoreError
from luodi.gateway.forget.person import Person
from luodi.store import Store
from luodi.store.audit.content import erasing
from luodi.store.audit.payload import PayloadKeys, unseal
from luodi.store.audit.reading import snapshot
from luodi.store.sealing import Sealing
from luodi.store.tx import Tx

_BATCH = 500


@dataclass(slots=True)
class Kept:
    """What a search of the database found.

    Attributes:
        records: ids whose content is the person's own, and `mentions` of others' that hold a value.
        unopened: content that could not be opened, so nobody knows.
        vault: scope and placeholder of values.
        answers: keys of kept answers, of the database; `redis` of those in Redis.
        notes: records with a note of feedback on them; `deliveries`: events to webhooks.
        log_rows: rows of the log that name the person; they hold no content.
    """

    records: list[str] = field(default_factory=list)
    mentions: list[str] = field(default_factory=list)
    unopened: int = 0
    vault: list[tuple[str, str]] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    redis: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    deliveries: list[int] = field(default_factory=list)
    log_rows: int = 0
    subjects: list[str] = field(default_factory=list)

    @property
    def content(self) -> list[str]:
        return [*self.records, *self.mentions]


def search(store: Store, person: Person, *, redis: str, actor: str) -> Kept:
    """Look through everything. That sealed content was opened for it is a row in the log first.

    Raises:
        StoreError: Redis does not answer: what is kept there is not known.
    """
    found = Kept()
    with snapshot(store.database) as tx:
        found.subjects = _subjects(tx, person)
        total = tx.all("SELECT COUNT(*) FROM payloads")[0][0]
    if person.values and total:
        with store.database.begin() as connection:
            store.database.log(
                connection, actor, "privacy.searched", "content", subject_digest=person.subject_digest, payloads=total
            )
    with snapshot(store.database) as tx:
        _content(store, tx, person, found)
        _vault(store, tx, person, found)
        _answers(store, tx, person, found)
        ids = {*found.content, *person.records}
        for record, note in tx.all("SELECT record, note FROM feedback WHERE note <> ''"):
            if record in ids or person.holds(note):
                found.notes.append(record)
        for seq, body in tx.all("SELECT seq, body FROM deliveries") if person.values else ():
            if person.holds(body):
                found.deliveries.append(int(seq))
        found.log_rows = _log_rows(tx, person, found.subjects)
    if redis:
        found.redis = asyncio.run(_redis(store, redis, person, found))
    return found


def _subjects(tx: Tx, person: Person) -> list[str]:
    """The person's name as records have it, also where only its digest is known."""
    known = [
        row[0]
        for table in ("payloads", "vault", "cache_entries")
        for row in tx.all(f"SELECT DISTINCT subject FROM {table}")  # noqa: S608 - a name of ours
    ]
    found = [s for s in dict.fromkeys(known) if s == person.subject or person.is_subject(s)]
    return found or ([person.subject] if person.subject else [])


def _content(store: Store, tx: Tx, person: Person, found: Kept) -> None:
    for subject in found.subjects:
        found.records += [r[0] for r in tx.all("SELECT id FROM payloads WHERE subject=? ORDER BY id", (subject,))]
    own, named = set(found.records), set(person.records)
    if not person.values and not named:
        return
    keys, after = PayloadKeys(store.keys.root), ""
    while rows := tx.all(f"SELECT id, sealed FROM payloads WHERE id>? ORDER BY id LIMIT {_BATCH}", (after,)):  # noqa: S608
        after = rows[-1][0]
        for id, sealed in rows:
            if id in own:
                continue
            if id in named:
                found.mentions.append(id)
            elif person.values:
                try:
                    text = unseal(id, bytes(sealed), keys)[1].decode("utf-8", "replace")
                except LuodiError:
                    found.unopened += 1
                    continue
                if any(map(person.holds, _strings(json.loads(text)))):
                    found.mentions.append(id)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from _strings(each)


def _vault(store: Store, tx: Tx, person: Person, found: Kept) -> None:
    for subject in found.subjects:
        rows = tx.all("SELECT scope, placeholder FROM vault WHERE subject=?", (subject,))
        found.vault += [(scope, placeholder) for scope, placeholder in rows]
    own = set(found.vault)
    if not person.value_digests:
        return
    for scope, placeholder, value in vault_values(store, tx):
        if (scope, placeholder) not in own and person.is_value(value):
            found.vault.append((scope, placeholder))


def vault_values(store: Store, tx: Tx) -> Iterator[tuple[str, str, str]]:
    """Scope, placeholder and value of the vault's rows; those that can't be opened are left out."""
    sealing, after = Sealing(store), ("", "")
    sql = (
        "SELECT scope, placeholder, sealed FROM vault WHERE placeholder<>'' AND (scope>? OR (scope=? AND "
        "placeholder>?)) ORDER BY scope, placeholder LIMIT ?"
    )
    while rows := tx.all(sql, (after[0], after[0], after[1], _BATCH)):
        after = (rows[-1][0], rows[-1][1])
        for scope, placeholder, sealed in rows:
            try:
                plain = sealing.open(bytes(sealed), f"vault\0{scope}\0{placeholder}".encode())
            except LuodiError:
                continue
            yield scope, placeholder, plain.decode("utf-8", "replace")


def _answers(store: Store, tx: Tx, person: Person, found: Kept) -> None:
    sealing, ids, subjects = Sealing(store), {*found.content, *person.records}, set(found.subjects)
    after, named = 0, set(person.answers)
    sql = (
        f"SELECT seq, key, subject, record, question, reply FROM cache_entries WHERE seq>? ORDER BY seq LIMIT {_BATCH}"  # noqa: S608
    )
    while rows := tx.all(sql, (after,)):
        after = rows[-1][0]
        for _, key, subject, record, question, reply in rows:
            if (
                subject in subjects
                or record in ids
                or key in named
                or _says(sealing, person, key, bytes(reply), question)
            ):
                found.answers.append(key)


def answer_text(sealing: Sealing, key: str, sealed: bytes) -> str:
    """A kept answer, opened; "" if it can't be."""
    try:
        return sealing.open(sealed, b"cache" + key.encode()).decode("utf-8", "replace")
    except LuodiError:
        return ""


def _says(sealing: Sealing, person: Person, key: str, reply: bytes, question: str) -> bool:
    if not person.values:
        return False
    texts = [answer_text(sealing, key, reply)]
    if question:
        texts.append(answer_text(sealing, key, bytes.fromhex(question)))
    return any(person.holds(text) or ("\\u" in text and _decoded(person, text)) for text in texts)


def _decoded(person: Person, text: str) -> bool:
    try:
        return any(map(person.holds, _strings(json.loads(text))))
    except ValueError:
        return False


async def _redis(store: Store, url: str, person: Person, found: Kept) -> list[str]:
    """Keys of the answers in Redis that are the person's, of those records, or hold a value."""
    from luodi.gateway.cache.redis_store import RedisStore

    behind, sealing = RedisStore(url, wait_s=30.0), Sealing(store)
    wanted = [("s", s) for s in found.subjects] + [("c", r) for r in {*found.content, *person.records}]
    try:
        keys = await behind.filed(wanted)
        if keys is not None and (person.values or person.answers):
            texts, named = await behind.everything(), set(person.answers)
            mine = {k for k, reply in texts or () if k in named or _says(sealing, person, k, reply, "")}
            keys = None if texts is None else keys | mine
    finally:
        await behind.stop()
    if keys is None:
        raise StoreError("the answers kept in Redis could not be searched", "start it, then try again")
    return sorted(keys)


def _log_rows(tx: Tx, person: Person, subjects: list[str]) -> int:
    count = 0
    for subject in subjects:
        kind, _, name = subject.partition(":")
        if kind == "key":
            count += tx.all("SELECT COUNT(*) FROM log WHERE actor=?", (name,))[0][0]
    if not person.values:
        return count
    low = -1
    while rows := tx.all(f"SELECT seq, actor, subject, body FROM log WHERE seq>? ORDER BY seq LIMIT {_BATCH}", (low,)):  # noqa: S608
        low = rows[-1][0]
        count += sum(person.holds(f"{actor}\n{subject}\n{body or ''}") for _, actor, subject, body in rows)
    return count


def erase(store: Store, found: Kept, *, redis: str) -> None:
    """Erase all but sealed content, which `luodi.store.audit.erase` does with its row in the log."""
    with erasing(store.database) as tx:
        tx.many("DELETE FROM vault WHERE scope=? AND placeholder=?", found.vault)
        tx.many("DELETE FROM cache_entries WHERE key=?", [(key,) for key in found.answers])
        tx.many("DELETE FROM idempotency WHERE record=?", [(record,) for record in found.content])
        tx.many("UPDATE feedback SET note='' WHERE record=?", [(record,) for record in found.notes])
        tx.many("DELETE FROM deliveries WHERE seq=?", [(seq,) for seq in found.deliveries])
        tx.run("UPDATE cache_state SET epoch=epoch+1")  # workers forget what they remember
    if redis:
        asyncio.run(_erase_redis(redis, found.redis))


async def _erase_redis(url: str, keys: list[str]) -> None:
    from luodi.gateway.cache.redis_store import RedisStore

    behind = RedisStore(url, wait_s=30.0)
    try:
        done = await behind.remove(keys)
    finally:
        await behind.stop()
    if done is None:
        raise StoreError("the answers kept in Redis could not be erased", "start it, then try again")


def backups(store: Store) -> list[dict[str, Any]]:
    """Backups that this store made, as its log tells, and whether the file is still where it was written."""
    with snapshot(store.database) as tx:
        rows = tx.all("SELECT time_ms, subject, body FROM log WHERE kind='store.backed_up' ORDER BY seq")
    found = []
    for time_ms, subject, body in rows:
        path = json.loads(body).get("subject", subject) if body else subject
        found.append({"file": path, "time_ms": time_ms, "there": Path(path).is_file()})
    return found
