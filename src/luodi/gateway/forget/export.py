"""What is kept of a person, as JSON files: for a request of access (GDPR Art. 15, PIPL Art. 45)."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from luodi.errors import StoreError
from luodi.gateway.admin.contents import read_content
from luodi.gateway.forget.find import Found
from luodi.gateway.forget.kept import answer_text, vault_values
from luodi.gateway.forget.person import Person
from luodi.store import Store, write_json
from luodi.store.atomic import disk_errors
from luodi.store.audit.reading import snapshot
from luodi.store.sealing import Sealing

PURPOSE = "request of access"


def export(store: Store, person: Person, found: Found, folder: Path, *, actor: str) -> dict[str, int]:
    """Write the files; that a record's content was read is a row in the log before it is opened.

    Returns how many entries each file has.

    Raises:
        StoreError: there is something in `folder`.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise StoreError(f"{folder} is not empty", "name a folder that does not exist yet")
    with disk_errors(f"{folder} could not be made"):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.chmod(0o700)
    parts: dict[str, list[Any]] = {
        "records": _records(store, found, actor),
        "values": _values(store, found),
        "answers": _answers(store, found),
        "notes": _notes(store, found),
        "rows": [{"id": id, **row} for id, row in sorted(found.rows.kept.items())],
        "documents": [asdict(each) for each in found.documents],
        "releases": [asdict(each) for each in found.releases],
        "backups": found.backups,
    }
    for name, entries in parts.items():
        _write(folder / f"{name}.json", entries)
    counts = {name: len(entries) for name, entries in parts.items()}
    about = {
        "subject": person.subject,
        "values": list(person.values),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "entries": counts,
        "found": found.counts(),
    }
    _write(folder / "about.json", about)
    with store.database.begin() as connection:
        store.database.log(
            connection, actor, "privacy.exported", "person", subject_digest=person.subject_digest, entries=counts
        )
    return counts


def _write(path: Path, value: Any) -> None:
    write_json(path, value)
    path.chmod(0o600)


def _records(store: Store, found: Found, actor: str) -> list[dict[str, Any]]:
    out = []
    for id in found.kept.content:
        content = read_content(store, id, actor=actor, purpose=PURPOSE)
        with snapshot(store.database) as tx:
            rows = tx.all("SELECT time_ms, kind, actor, subject, outcome FROM log WHERE id=?", (id,))
        about = dict(zip(("time_ms", "kind", "actor", "subject", "outcome"), rows[0], strict=True)) if rows else {}
        own = id in set(found.kept.records)
        out.append({"id": id, **about, "own": own, "content": content})
    return out


def _values(store: Store, found: Found) -> list[dict[str, str]]:
    wanted = set(found.kept.vault)
    with snapshot(store.database) as tx:
        values = [(s, p, v) for s, p, v in vault_values(store, tx) if (s, p) in wanted]
    return [{"placeholder": placeholder, "value": value} for _, placeholder, value in values]


def _answers(store: Store, found: Found) -> list[dict[str, Any]]:
    sealing, out = Sealing(store), []
    with snapshot(store.database) as tx:
        for key in found.kept.answers:
            for record, reply in tx.all("SELECT record, reply FROM cache_entries WHERE key=?", (key,)):
                text = answer_text(sealing, key, bytes(reply))
                out.append({"record": record, "answer": json.loads(text) if text.startswith("{") else text})
    return out


def _notes(store: Store, found: Found) -> list[dict[str, Any]]:
    with snapshot(store.database) as tx:
        rows = [tx.all("SELECT record, note FROM feedback WHERE record=?", (id,)) for id in found.kept.notes]
    return [{"record": record, "note": note} for each in rows for record, note in each]
