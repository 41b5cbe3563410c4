"""What is left of gateways that ended badly, and of records that could not be written at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from luodi.cli.serving import run_key
from luodi.errors import StoreError
from luodi.gateway import ApiKeys
from luodi.gateway.ledger.workers import Worker, recover, runs, this_process
from luodi.store import Store
from luodi.store.database import now_ms
from luodi.store.tx import tx_of
from luodi.testing import call


def test_a_file_of_zeros_stops_nobody(tmp_path: Any) -> None:
    store = Store(tmp_path / "store")
    worker = Worker(store)
    path = worker.slots.path
    path.write_bytes(bytes(4096))
    with store.database.begin() as c:
        tx_of(c).run("UPDATE workers SET pid=-1")
    assert recover(store) == []
    path.write_bytes(b"something else")
    again = Worker(store)
    with store.database.begin() as c:
        tx_of(c).run("UPDATE workers SET pid=-1, slots=?", (str(path),))
    with pytest.raises(StoreError, match="is not a file of calls"):
        recover(store)
    again.slots.close()
    store.database.close()


def test_what_a_machine_held_that_never_came_back_is_let_go(tmp_path: Any) -> None:
    store = Store(tmp_path / "store")
    with store.database.begin() as c:
        tx = tx_of(c)
        for worker, seen in (("silent", now_ms() - 3_600_000), ("alive", now_ms())):
            tx.run(
                "INSERT INTO workers (id, host, pid, started, slots, seen_ms) VALUES (?,?,?,?,?,?)",
                (worker, "another-host", 7, "1", "/nowhere", seen),
            )
            tx.run("INSERT INTO holds (scope, worker, nano_usd, calls) VALUES ('project',?,5,1)", (worker,))
    recover(store)
    with store.database.begin() as c:
        assert tx_of(c).all("SELECT worker FROM holds") == [("alive",)]
    store.database.close()


def test_a_record_that_could_not_be_written_is_written_later(
    open_house: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    house = open_house()
    gateway = house.gateway
    settle = gateway.writer._books["settle"]

    def full(tx: Any, items: Any) -> Any:
        raise StoreError("the disk is full")

    async def ask() -> int:
        sent = {"model": "helpdesk", "messages": [{"role": "user", "content": "How do I make a form field optional?"}]}
        return (await call(house.app, "POST", "/v1/chat/completions", body=sent, key=house.key)).status

    async def work() -> None:
        gateway.writer._books["settle"] = full
        assert await ask() == 503
        assert gateway.worker.slots.in_use == 1 and house.rows() == []
        await gateway.record.again()
        assert gateway.worker.slots.in_use == 1, "it is still full"
        gateway.writer._books["settle"] = settle
        await gateway.record.again()
        assert gateway.worker.slots.in_use == 0 and len(house.rows()) == 1

    asyncio.run(work())


def test_a_database_that_can_not_be_asked_is_503(
    open_house: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    house = open_house()

    def locked(secret: str) -> Any:
        raise StoreError("the database is locked")

    monkeypatch.setattr(house.gateway.keys, "find", locked)
    for path in ("/v1/chat/completions", "/v1/messages"):
        sent = {"model": "helpdesk", "max_tokens": 9, "messages": [{"role": "user", "content": "Hello"}]}
        reply = asyncio.run(call(house.app, "POST", path, body=sent, key="luodi-unknown"))
        assert (reply.status, reply.headers["retry-after"]) == (503, "5"), reply.body
    assert asyncio.run(call(house.app, "GET", "/v1/models", key="luodi-unknown")).status == 503


def test_the_key_of_a_run_that_was_killed_is_revoked(tmp_path: Any) -> None:
    store = Store(tmp_path / "store")
    keys = ApiKeys(store)
    host = this_process().rsplit(":", 2)[0]
    dead, other = (
        keys.create(f"luodi serve (helpdesk@1) {host}:999999999:1"),
        keys.create("luodi serve (x@1) elsewhere:5:1"),
    )
    with run_key(store, "helpdesk@1") as mine:
        assert keys.find(mine) is not None and keys.find(dead[1]) is None and keys.find(other[1]) is not None
        with run_key(store, "helpdesk@1"):
            assert keys.find(mine) is not None, "a server beside it is left alone"
    assert keys.find(mine) is None and runs(this_process())
    store.database.close()
