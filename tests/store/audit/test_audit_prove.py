"""Proofs that need no database, and exports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from auditing import START_MS, body_of, fill, run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from luodi.errors import IntegrityError, StoreError
from luodi.store import Store
from luodi.store.audit import check, export, make_checkpoint, prove, retain
from luodi.store.audit.note import parse
from luodi.store.audit.tree import root_by_inclusion

SIZE = 53


@pytest.fixture
def log(store: Store) -> Store:
    fill(store, SIZE, checkpoint_every=20)
    return store


def test_every_record_is_proven(log: Store) -> None:
    for n in range(SIZE):
        proof = json.loads(json.dumps(prove(log, f"rec_{n:08d}")))
        body, signer = check(proof)
        assert body == body_of(log, n) and signer == log.keys.owner()
        assert check(proof, log.keys.trusted())[0] == body
        assert len(proof["proof"]) <= 6


def test_by_somebody_who_does_not_trust_the_key(log: Store, tmp_path: Path) -> None:
    proof = prove(log, "rec_00000007")
    other = Store(tmp_path / "other")
    other.keys.public_text()
    with pytest.raises(IntegrityError, match="not signed by a key that is trusted"):
        check(proof, other.keys.trusted())


def test_what_was_changed_is_no_proof(log: Store) -> None:
    proof = prove(log, "rec_00000007")
    other = prove(log, "rec_00000008")

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def change(data: st.DataObject) -> None:
        name = data.draw(
            st.sampled_from(["body", "proof", "checkpoint", "public_key", "seq", "size", "format", "swap", "drop"])
        )
        changed: dict[str, Any] = dict(proof)
        if name == "body":
            changed["body"] = proof["body"].replace("3907", "3000")
        elif name == "proof":
            at = data.draw(st.integers(0, len(proof["proof"]) - 1))
            changed["proof"] = [*proof["proof"][:at], "00" * 32, *proof["proof"][at + 1 :]]
        elif name == "swap":
            key = data.draw(st.sampled_from(["body", "proof", "seq"]))
            changed[key] = other[key]
        elif name == "drop":
            del changed[data.draw(st.sampled_from(sorted(changed)))]
        else:
            changed[name] = data.draw(st.sampled_from([None, "", "x", 3, [], {}, -1]))
        with pytest.raises(IntegrityError) as caught:
            check(changed)
        assert caught.value.message

    change()


def test_what_can_not_be_proven(log: Store) -> None:
    fill(log, 1, start=SIZE)
    with pytest.raises(StoreError, match="no checkpoint covers row 53") as caught:
        prove(log, f"rec_{SIZE:08d}")
    assert "luodi audit checkpoint" in caught.value.hint
    make_checkpoint(log)
    check(prove(log, f"rec_{SIZE:08d}"))
    with pytest.raises(StoreError, match="no record 'x'"):
        prove(log, "x")
    retain(log, days=1, actor="me", now_ms=START_MS + 86_400_000 + 10_000)
    with pytest.raises(StoreError, match="was let go"):
        prove(log, "rec_00000007")
    check(prove(log, "rec_00000010"))
    run(log, "DELETE FROM log WHERE seq = 2")
    with pytest.raises(StoreError, match="row 2 of the log is missing"):
        prove(log, "rec_00000010")


def test_an_export_of_a_time(log: Store) -> None:
    fill(log, 3, start=SIZE)
    head, *rows = export(log, from_ms=START_MS + 10_000, to_ms=START_MS + 15_000)
    assert parse(head["checkpoint"]).checkpoint.size == SIZE and head["public_key"].startswith("ed25519 ")
    assert [r["seq"] for r in rows] == list(range(10, 15)) and json.loads(rows[0]["body"])["id"] == "rec_00000010"
    assert "proof" not in rows[0]
    assert [r["seq"] for r in list(export(log))[1:]] == list(range(SIZE + 3))
    assert list(export(log, from_ms=1, to_ms=2))[1:] == []


def test_an_export_with_proofs(log: Store) -> None:
    from hashlib import sha256

    retain(log, days=1, actor="me", now_ms=START_MS + 86_400_000 + 5_000)
    head, *rows = export(log, proofs=True)
    checkpoint = parse(head["checkpoint"]).checkpoint
    for row in rows[:SIZE]:
        leaf = bytes.fromhex(row["leaf"]) if row["body"] is None else sha256(b"\0" + row["body"].encode()).digest()
        path = [bytes.fromhex(node) for node in row["proof"]]
        assert root_by_inclusion(leaf, row["seq"], checkpoint.size, path) == checkpoint.root
    assert [r["body"] is None for r in rows[:6]] == [True] * 5 + [False] and "proof" not in rows[-1]


def test_an_export_of_an_empty_log(store: Store) -> None:
    (head,) = export(store, proofs=True)
    assert head["checkpoint"] is None
