"""Deletion certificates: what was found, what was erased, what remains and why, signed with the store's key.

A certificate names ids, digests and files, and of the person nothing but keyed digests (HMAC under a key derived from
the store's): who has it and not the store can't try names against it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luodi.errors import IntegrityError, StoreError
from luodi.gateway.forget.person import Person
from luodi.store import Store, canonical_json, write_json
from luodi.store.audit.reading import leaves, snapshot
from luodi.store.audit.tree import Frontier
from luodi.store.digest import digest_bytes
from luodi.store.tx import Tx

if TYPE_CHECKING:
    from collections.abc import Sequence

FORMAT = "luodi deletion certificate 1"
_MOST = 64 << 20  # bytes


def write(store: Store, path: Path, body: dict[str, Any]) -> str:
    """Sign `body` and write it; returns its digest."""
    payload = canonical_json(body)
    signature = store.keys.sign(_signed(payload))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, {"certificate": body, "signature": signature.as_dict()})
    return digest_bytes(payload)


def _signed(payload: bytes) -> bytes:
    return FORMAT.encode() + b"\n" + payload


def read(store: Store, path: Path) -> tuple[dict[str, Any], str]:
    """The body of a certificate, once a trusted signature is found on it, and who signed it.

    Raises:
        StoreError: it can't be read.
        IntegrityError: it was changed, or no key that the store trusts signed it.
    """
    try:
        if path.stat().st_size > _MOST:
            raise StoreError(f"{path} is too large for a certificate")
        whole = json.loads(path.read_bytes())
        body, signature = dict(whole["certificate"]), dict(whole["signature"])
    except OSError as error:
        raise StoreError(f"{path} can't be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{path} is no deletion certificate", "`luodi privacy forget` writes them") from error
    if body.get("format") != FORMAT:
        raise StoreError(f"{path} is no deletion certificate of this version of Luodi")
    try:
        signer = store.keys.verify(_signed(canonical_json(body)), signature)
    except IntegrityError as error:
        raise IntegrityError(f"{path.name}: {error.message}", error.hint) from error
    return body, signer


def head(tx: Tx) -> dict[str, Any]:
    """Size and root of the log now."""
    size, packed = tx.all("SELECT size, frontier FROM log_state")[0]
    return {"size": int(size), "root": Frontier(int(size), bytes(packed)).root().hex() if size else ""}


def in_the_log(store: Store, body: dict[str, Any]) -> list[str]:
    """What of a certificate the log of this store does not bear out; nothing, if it is the log it was made with."""
    wrong = []
    with snapshot(store.database) as tx:
        rows = tx.all("SELECT body FROM log WHERE kind='privacy.forgotten' AND subject=?", (body["id"],))
        told = [json.loads(row[0])["data"]["digest"] for row in rows if row[0]]
        if digest_bytes(canonical_json(body)) not in told:
            wrong.append("its row is not in the log")
        heads = sorted((int(each["size"]), each["root"]) for each in body["log"].values())
        size = tx.all("SELECT size FROM log_state")[0][0]
        if heads and size < heads[-1][0]:
            return [*wrong, f"the log has {size} rows, and had {heads[-1][0]}"]
        tree, at = Frontier(), 0
        for end, root in heads:
            for leaf in leaves(tx, at, end):
                tree.append(leaf)
            at = end
            if root and tree.root().hex() != root:
                wrong.append(f"the log is not the one it was made with: its root at {end} rows differs")
    return wrong


def person_of(store: Store, body: dict[str, Any], subject: str = "", values: Sequence[str] = ()) -> Person:
    """Whom a certificate is about: by its digests and ids, and by name and values where they are given again.

    Raises:
        StoreError: a name or a value is none of those that it was made for.
    """
    person = Person(
        store.keys, subject, values, subject_digest=body["person"]["subject"],
        value_digests=tuple(body["person"]["values"]), records=tuple(body["found"]["records"]),
        rows=tuple(body["found"]["rows"]), answers=tuple(body["found"]["answers"]),
    )  # fmt: skip
    if subject and person.subject_digest != body["person"]["subject"]:
        raise StoreError("this certificate was made for another subject")
    if strange := [v for v in values if person.digest_value(v) not in body["person"]["values"]]:
        raise StoreError(f"{len(strange)} of the values are none of those that this certificate was made for")
    person.value_digests = tuple(body["person"]["values"])
    return person
