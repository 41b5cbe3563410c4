"""Content that people read and write: opened with a row in the log, sealed beside one."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from luodi.errors import StoreError
from luodi.store import Store
from luodi.store.audit import LogRow, PayloadKeys, PayloadRow, append, new_id, open_payload, put, seal
from luodi.store.database import now_ms
from luodi.store.tx import tx_of

GONE = "it was erased, or never kept"


def read_content(store: Store, record: str, *, actor: str, purpose: str) -> dict[str, Any] | None:
    """The content of a record; None if it was erased or never kept. That it was read is a row in the log first.

    Raises:
        IntegrityError: the content is not what its row commits to.
    """
    if not has_content(store, record):
        return None
    with store.database.begin() as connection:
        store.database.log(connection, actor, "content.read", record, purpose=purpose)
    return open_content(store, record)


def open_content(store: Store, record: str) -> dict[str, Any] | None:
    """`read_content` for whose content it is: nobody else is told anything, so no row says so."""
    if not has_content(store, record):
        return None
    try:
        return open_payload(store, record)
    except StoreError as error:
        if has_content(store, record):
            raise
        raise StoreError(f"the content of {record} was erased just now") from error


def has_content(store: Store, record: str) -> bool:
    from luodi.store.audit.reading import snapshot

    with snapshot(store.database) as tx:
        return bool(tx.all("SELECT 1 FROM payloads WHERE id=?", (record,)))


def write_note(
    store: Store, connection: Connection, *, actor: str, kind: str, record: str, note: str, **data: Any
) -> str:
    """A row `kind` about `record`, with `note` sealed beside it as content of the record's subject; the row's id.

    It is erased with the subject's other content, and let go with the rest. Without a note it is a plain row.
    """
    tx, now, id_ = tx_of(connection), now_ms(), new_id("evt")
    body: dict[str, Any] = {"data": data}
    payload = None
    if note:
        found = tx.all("SELECT subject FROM payloads WHERE id=?", (record,))
        if found:
            subject = str(found[0][0])
        else:
            asked = tx.all("SELECT actor FROM log WHERE id=?", (record,))
            subject = f"key:{asked[0][0]}" if asked else ""
        body["content"], sealed = seal(id_, {"note": note}, PayloadKeys(store.keys.root).current())
        payload = PayloadRow(id_, now, subject, sealed)
    append(tx, [LogRow(id_, now, kind, actor, record, body=body)])
    if payload is not None:
        put(tx, [payload])
    return id_
