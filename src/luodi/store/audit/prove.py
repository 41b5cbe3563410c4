"""Evidence for others: the proof of one record in a file that needs no database, and exports."""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from luodi.errors import IntegrityError, StoreError
from luodi.store.audit.checkpoint import newest
from luodi.store.audit.note import TrustedKeys, parse, signer_of
from luodi.store.audit.reading import leaves, rows_of, snapshot
from luodi.store.audit.tree import Range, hashes_of, inclusion_ranges, root_by_inclusion
from luodi.store.tx import Tx

if TYPE_CHECKING:
    from luodi.store import Store

FORMAT = "luodi-proof/1"


def prove(store: Store, id: str) -> dict[str, Any]:
    """The proof that a record is in the log under the newest checkpoint; `check` verifies it anywhere.

    Raises:
        StoreError: there is no such record, its body was let go, or no checkpoint covers it yet.
    """
    with snapshot(store.database) as tx:
        found = tx.all("SELECT seq, body FROM log WHERE id = ?", (id,))
        if not found:
            raise StoreError(f"there is no record {id!r}", "`luodi audit ls` lists the newest")
        seq, body = found[0]
        if body is None:
            raise StoreError(f"the body of {id} was let go", "retention keeps the leaf only: there is nothing to show")
        size, note = _covering(tx, seq)
        ranges = inclusion_ranges(seq, size)
        nodes = hashes_of(ranges, leaves(tx, 0, size))
        return _proof(seq, size, body, [nodes[r] for r in ranges], note, store.keys.public_text())


def _covering(tx: Tx, seq: int) -> tuple[int, str]:
    last = newest(tx)
    if last is None or last[0] <= seq:
        raise StoreError(f"no checkpoint covers row {seq} yet", "`luodi audit checkpoint` makes one")
    return last[0], last[1]


def _proof(seq: int, size: int, body: str, path: list[bytes], note: str, key: str) -> dict[str, Any]:
    return {
        "format": FORMAT, "seq": seq, "size": size, "body": body, "proof": [node.hex() for node in path],
        "checkpoint": note, "public_key": key.strip(),
    }  # fmt: skip


def check(proof: dict[str, Any], trusted: TrustedKeys | None = None) -> tuple[dict[str, Any], str]:
    """Verify a proof; returns the record's body and who signed the checkpoint.

    Args:
        trusted: keys that you know. Without them the key in the proof itself is taken, which shows that the proof
            holds together and not whose it is.

    Raises:
        IntegrityError: the record is not what was signed, or the proof is none.
    """
    try:
        if proof["format"] != FORMAT:
            raise IntegrityError(f"the proof is of the form {proof['format']!r}", f"this Luodi reads {FORMAT!r}")
        seq, size, body = int(proof["seq"]), int(proof["size"]), str(proof["body"])
        path = [bytes.fromhex(node) for node in proof["proof"]]
        note = parse(proof["checkpoint"])
        value = json.loads(body)
        keys = _key(proof["public_key"]) if trusted is None else trusted
        place = value["seq"]
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise IntegrityError(f"this is no proof: {error!r}", "`luodi audit prove ID` makes one") from error
    signer = signer_of(note, keys)
    leaf = sha256(b"\0" + body.encode()).digest()
    if note.checkpoint.size != size or place != seq or root_by_inclusion(leaf, seq, size, path) != note.checkpoint.root:
        raise IntegrityError(
            "the record is not in the log that the checkpoint signs", "it was changed, or the proof is another record's"
        )
    return value, signer


def _key(line: str) -> TrustedKeys:
    from luodi.store.keys import read_public

    name, key, owner = read_public(line)
    return {name: (key, owner)}


def export(store: Store, *, from_ms: int = 0, to_ms: int = 1 << 62, proofs: bool = False) -> Iterator[dict[str, Any]]:
    """Rows of a time range as of one moment: first the newest checkpoint, then a dictionary for each row.

    Args:
        proofs: each row with its inclusion proof under that checkpoint, where it covers the row.
    """
    with snapshot(store.database) as tx:
        last = newest(tx)
        yield {
            "format": "luodi-audit/1", "checkpoint": last[1] if last else None, "from_ms": from_ms, "to_ms": to_ms,
            "public_key": store.keys.public_text().strip(),
        }  # fmt: skip
        found = tx.all("SELECT min(seq), max(seq) FROM log WHERE time_ms >= ? AND time_ms < ?", (from_ms, to_ms))
        if found[0][0] is None:
            return
        low, high = found[0][0], found[0][1] + 1
        size = last[0] if last and proofs else 0
        nodes = _nodes(tx, low, min(high, size), size)
        for batch in rows_of(tx, "seq, time_ms, body, leaf", low, high):
            for seq, time_ms, body, leaf in batch:
                if not from_ms <= time_ms < to_ms:
                    continue
                row: dict[str, Any] = {"seq": seq, "body": body}
                if body is None:
                    row["leaf"] = leaf.hex()
                if seq < size:
                    row["proof"] = [nodes[r].hex() for r in inclusion_ranges(seq, size)]
                yield row


def _nodes(tx: Tx, low: int, high: int, size: int) -> dict[Range, bytes]:
    """Every hash that the proofs of rows low … high - 1 need; neighbours share most of theirs."""
    wanted: set[Range] = set()
    for seq in range(low, high):
        wanted.update(inclusion_ranges(seq, size))
    return hashes_of(wanted, leaves(tx, 0, size)) if wanted else {}
