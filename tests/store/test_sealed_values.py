"""Sealed at rest: what opens where, key rotation, expiry, erasure; on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from luodi.errors import IntegrityError, StoreError
from luodi.store import Store
from luodi.store.audit import verify
from luodi.store.audit.content import erase, retire
from luodi.store.sealing import Sealing
from luodi.store.tx import tx_of
from luodi.store.vault import VaultRows, scope_of

VALUES = {"PHONE_BCDFGHJK": b"13800138000", "": b"the key"}
OURS, THEIRS = scope_of("team:a", "c1"), scope_of("team:b", "c1")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else ""
    store = Store(tmp_path / "store", url)
    yield store
    store.database.close()


def ask(store: Store, sql: str, *params: Any) -> list[tuple[Any, ...]]:
    with store.database.begin() as connection:
        return tx_of(connection).all(sql, params)


def run(store: Store, sql: str, *params: Any) -> None:
    with store.database.begin() as connection:
        tx_of(connection).run(sql, params)


def test_sealed_bytes_open_only_as_they_were_sealed(store: Store) -> None:
    sealing = Sealing(store)
    sealed = sealing.seal(b"secret", b"here")
    assert b"secret" not in sealed
    assert Sealing(store).open(sealed, b"here") == b"secret"
    broken = sealed[:-1] + bytes([sealed[-1] ^ 1])
    for bad, about in ((sealed, b"there"), (broken, b"here"), (b"", b"here"), (b"\2" + sealed[1:], b"here")):
        with pytest.raises(IntegrityError):
            sealing.open(bad, about)
    with pytest.raises(StoreError, match=r"payload-7\.key"):
        sealing.open(sealed[:1] + (7).to_bytes(4, "big") + sealed[5:], b"here")


def test_values_come_back_to_their_scope_only(store: Store) -> None:
    rows = VaultRows(store)
    rows.save(OURS, "user:1", VALUES)
    assert VaultRows(store).load(OURS) == VALUES
    assert rows.load(THEIRS) == {} == rows.load(scope_of("team:ac", "1"))
    run(store, "UPDATE vault SET scope = ?", THEIRS)
    assert rows.load(THEIRS) == {}, "a row that was moved to another owner does not open there"


def test_nothing_readable_is_stored(store: Store) -> None:
    VaultRows(store).save(OURS, "user:1", VALUES)
    assert not any(b"13800138000" in bytes(sealed) for (sealed,) in ask(store, "SELECT sealed FROM vault"))
    assert not any(b"13800138000" in p.read_bytes() for p in store.root.rglob("*") if p.is_file())


def test_keeping_again_changes_no_value_and_lets_it_live_on(store: Store) -> None:
    VaultRows(store, keep_s=100).save(OURS, "user:1", VALUES)
    ends = ask(store, "SELECT max(expires_ms) FROM vault")[0][0]
    VaultRows(store, keep_s=200).save(OURS, "user:1", {"": b"another key"})
    assert VaultRows(store).load(OURS) == VALUES
    assert ask(store, "SELECT max(expires_ms) FROM vault")[0][0] > ends


def test_what_has_ended_is_not_given_out_and_goes(store: Store) -> None:
    rows = VaultRows(store, keep_s=-1)
    rows.save(OURS, "user:1", VALUES)
    VaultRows(store).save(THEIRS, "user:2", VALUES)
    assert rows.load(OURS) == {}
    assert (rows.expire(), rows.expire()) == (2, 0)
    assert rows.load(THEIRS) == VALUES


def test_keys_rotate_and_the_old_one_can_go(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("luodi.store.vault._BATCH", 3)
    rows = VaultRows(store)
    many = {f"PHONE_{n:08}": b"%d" % n for n in range(10)}
    rows.save(OURS, "user:1", many)
    sealing = Sealing(store)
    sealing.keys.rotate()
    VaultRows(store).save(THEIRS, "user:2", VALUES)
    before = dict(ask(store, "SELECT placeholder, sealed FROM vault WHERE scope = ?", OURS))
    retire(store, 1, actor="me", grace_s=0)
    after = dict(ask(store, "SELECT placeholder, sealed FROM vault WHERE scope = ?", OURS))
    assert all(bytes(after[name])[:5] == b"\1\0\0\0\2" != bytes(before[name])[:5] for name in many)
    assert sealing.keys.numbers() == [2]
    assert VaultRows(store).load(OURS) == many and VaultRows(store).load(THEIRS) == VALUES


def test_a_person_is_erased_with_a_row_that_says_so(store: Store) -> None:
    rows = VaultRows(store)
    rows.save(OURS, "user:1", VALUES)
    rows.save(THEIRS, "user:2", VALUES)
    done = erase(store, subject="user:1", reason="Art. 17", actor="me")
    assert done.ids == () and rows.load(OURS) == {} and rows.load(THEIRS) == VALUES
    assert '"vault":2' in ask(store, "SELECT body FROM log")[0][0] and verify(store).ok
    with pytest.raises(StoreError, match="no content"):
        erase(store, subject="user:1", reason="again", actor="me")


def test_a_conversation_is_erased(store: Store) -> None:
    rows = VaultRows(store)
    rows.save(OURS, "user:1", VALUES)
    assert (rows.erase(scope=OURS), rows.erase(scope=OURS)) == (2, 0)
