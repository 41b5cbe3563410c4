"""Idempotency-Key: one call and one charge, whatever the network does; nothing is passed by."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from scripting import Model, Room
from sqlalchemy import select, update

from luodi.gateway import App, Gateway, GatewayOptions
from luodi.gateway.call import Piece
from luodi.gateway.idempotency import purge
from luodi.gateway.upstream import Pool, UpstreamError
from luodi.store.audit import erase
from luodi.store.database import now_ms
from luodi.store.migrations import idempotency, log, meters, workers
from luodi.testing import call

PATH = "/v1/chat/completions"
ASKED = {"model": "chat", "messages": [{"role": "user", "content": "Say hello"}]}
SENT: list[tuple[str, dict[str, Any]]] = [
    (PATH, ASKED),
    (PATH, ASKED | {"stream": True, "stream_options": {"include_usage": True}}),
    ("/v1/responses", {"model": "chat", "input": "Say hello", "stream": True}),
    ("/v1/messages", {"model": "chat", "max_tokens": 9, "messages": ASKED["messages"], "stream": True}),
    ("/v1/completions", {"model": "chat", "prompt": ["a", "b"]}),
    ("/v1/embeddings", {"model": "chat", "input": "Say hello"}),
    ("/v1/moderations", {"input": "Say hello"}),
]


def with_key(key: str = "k1") -> dict[str, Any]:
    return {"headers": [(b"idempotency-key", key.encode())]}


def spent(room: Room) -> list[tuple[int, int]]:
    with room.house.store.database.begin() as connection:
        return [tuple(r) for r in connection.execute(select(meters.c.calls, meters.c.nano_usd)).all()]


def kept(room: Room) -> list[Any]:
    with room.house.store.database.begin() as connection:
        return list(connection.execute(select(idempotency)).mappings().all())


@pytest.mark.parametrize(("path", "sent"), SENT)
def test_the_same_again(room: Room, path: str, sent: dict[str, Any]) -> None:
    first = room.post(path, sent, **with_key())
    rows, charged, asked = len(room.house.rows()), spent(room), len(room.model.orders) + len(room.model.embedded)
    again = room.post(path, sent, **with_key())
    assert first.status == again.status == 200 and again.body == first.body and first.body
    assert again.headers["idempotent-replayed"] == "true" and "idempotent-replayed" not in first.headers
    assert again.headers["x-request-id"] == first.headers["x-request-id"]
    assert again.headers["content-type"] == first.headers["content-type"]
    assert len(room.house.rows()) == rows and spent(room) == charged
    assert len(room.model.orders) + len(room.model.embedded) == asked
    with room.house.store.database.begin() as connection:
        told = connection.execute(select(log.c.actor, log.c.subject).where(log.c.kind == "call.replayed")).all()
    assert told == [(room.house.key_id, first.headers["x-request-id"])], "the log knows that it was shown again"


def test_another_request_is_refused(room: Room) -> None:
    room.post(PATH, ASKED, **with_key())
    for path, sent in ((PATH, ASKED | {"temperature": 1}), ("/v1/moderations", {"input": "x"})):
        reply = room.post(path, sent, **with_key())
        assert (reply.status, reply.json()["error"]["code"]) == (422, "idempotency_key_reused")
    assert len(room.model.orders) == 1


def test_the_key_belongs_to_the_caller(room: Room) -> None:
    room.post(PATH, ASKED, **with_key())
    _, other = room.house.gateway.keys.create("somebody else")
    assert "idempotent-replayed" not in room.post(PATH, ASKED, key=other, **with_key()).headers
    assert len(room.model.orders) == 2
    for key in ("", "luodi-wrong"):
        assert room.post(PATH, ASKED, key=key, **with_key()).status == 401
    room.house.gateway.keys.revoke(room.house.key_id)
    room.house.gateway.keys._seen.clear()
    assert room.post(PATH, ASKED, **with_key()).status == 401, "a revoked key gets nothing of what was kept"


def test_one_at_a_time(room: Room) -> None:
    async def both() -> tuple[Any, Any, Any]:
        room.model.go = asyncio.Event()
        first = asyncio.create_task(room.ask(PATH, ASKED, **with_key()))
        async with asyncio.timeout(10):
            while not room.model.orders:
                await asyncio.sleep(0.001)
        second = await room.ask(PATH, ASKED, **with_key())
        room.model.go.set()
        return await first, second, await room.ask(PATH, ASKED, **with_key())

    first, second, third = asyncio.run(both())
    assert second.status == 409 and second.headers["retry-after"] == "1" and second.headers["x-should-retry"] == "true"
    assert second.json()["error"]["code"] == "idempotency_in_progress"
    assert first.status == 200 and third.body == first.body and len(room.model.orders) == 1


@pytest.mark.parametrize("stream", [False, True])
def test_what_failed_is_not_kept(room: Room, stream: bool) -> None:
    good = room.model.says
    for bad in ([UpstreamError("no", retry=False)], [Piece("Hello " * 30), UpstreamError("no", retry=False)]):
        room.model.says = bad
        room.post(PATH, ASKED | {"stream": stream}, **with_key())
        assert kept(room) == []
    room.model.says = good
    reply = room.post(PATH, ASKED | {"stream": stream}, **with_key())
    assert reply.status == 200 and "idempotent-replayed" not in reply.headers and reply.text() == "Hello there."


def test_a_refusal_of_a_request_is_not_kept(room: Room) -> None:
    assert room.post(PATH, ASKED | {"temperature": 9}, **with_key()).status == 400
    assert room.post(PATH, ASKED | {"model": "helpdesk", "tools": [1]}, **with_key()).status == 400
    assert room.post(PATH, ASKED, **with_key()).status == 200


def test_a_caller_that_leaves_may_ask_again(room: Room) -> None:
    room.model.says = [Piece("Hello "), *[Piece("there my friend ") for _ in range(50)], Piece(finish="stop")]
    room.model.wait = 0.002
    left = room.post(PATH, ASKED | {"stream": True}, leave=lambda r: len(r.pieces) > 3, **with_key())
    assert not left.done and kept(room) == []
    assert room.post(PATH, ASKED | {"stream": True}, **with_key()).done


@pytest.mark.parametrize("key", ["", "x" * 256, "a\x7f"])
def test_keys_that_are_none(room: Room, key: str) -> None:
    reply = room.post(PATH, ASKED, **with_key(key))
    assert (reply.status, reply.json()["error"]["param"]) == (400, "idempotency-key") and room.model.orders == []


def test_nothing_of_it_can_be_read_on_the_disk(room: Room) -> None:
    room.model.says = [Piece("a very private answer"), Piece(finish="stop")]
    room.post(PATH, ASKED, **with_key())
    row = kept(room)[0]
    assert row["sealed"] and b"private" not in row["sealed"] and row["worker"] == ""


def test_what_is_erased_is_not_shown_again(room: Room) -> None:
    first = room.post(PATH, ASKED, **with_key())
    erase(room.house.store, ids=[first.headers["x-request-id"]], reason="asked for", actor="test")
    again = room.post(PATH, ASKED, **with_key())
    assert (again.status, again.json()["error"]["code"]) == (409, "idempotency_not_kept")
    assert again.headers["x-should-retry"] == "false" and len(room.model.orders) == 1


def test_where_no_content_is_kept_a_repeat_is_refused(room: Room) -> None:
    gateway = Gateway(room.house.gateway.served, room.house.store, GatewayOptions(keep_content=False))
    try:
        app = App(gateway)
        ask = [asyncio.run(call(app, "POST", PATH, body=ASKED, key=room.house.key, **with_key())) for _ in range(2)]
    finally:
        gateway.writer.close()
        gateway.worker.close()
    assert [r.status for r in ask] == [200, 409] and kept(room)[0]["sealed"] is None
    assert len(room.model.orders) == 1


def test_a_killed_worker_does_not_hold_a_key_for_ever(room: Room) -> None:
    room.post(PATH, ASKED, **with_key())
    with room.house.store.database.begin() as connection:
        connection.execute(update(idempotency).values(worker="w-dead", sealed=None))
    assert room.post(PATH, ASKED, **with_key()).status == 200 and len(room.model.orders) == 2
    with room.house.store.database.begin() as connection:
        connection.execute(update(idempotency).values(worker=select(workers.c.id).scalar_subquery(), sealed=None))
    assert room.post(PATH, ASKED, **with_key()).status == 409, "a living worker does"


def test_it_is_kept_for_a_day(room: Room) -> None:
    room.post(PATH, ASKED, **with_key())
    with room.house.store.database.begin() as connection:
        connection.execute(update(idempotency).values(time_ms=now_ms() - 23 * 3_600_000))
    assert "idempotent-replayed" in room.post(PATH, ASKED, **with_key()).headers
    with room.house.store.database.begin() as connection:
        connection.execute(update(idempotency).values(time_ms=now_ms() - 25 * 3_600_000))
    purge(room.house.store)
    assert kept(room) == []
    assert "idempotent-replayed" not in room.post(PATH, ASKED, **with_key()).headers


def test_another_worker_shows_it_too(room: Room, open_house: Callable[..., Any]) -> None:
    first = room.post(PATH, ASKED, **with_key())
    gateway = Gateway(room.house.gateway.served, room.house.store)
    model = Model()
    gateway.served.pools["chat"] = Pool("chat", [model])
    try:
        again = asyncio.run(call(App(gateway), "POST", PATH, body=ASKED, key=room.house.key, **with_key()))
    finally:
        gateway.writer.close()
        gateway.worker.close()
    assert again.body == first.body and model.orders == []


def test_a_response_that_can_not_be_kept_is_sent(room: Room, monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    from luodi.errors import StoreError
    from luodi.gateway.idempotency import Idempotency

    def full(*_: object) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(Idempotency, "keep", full)
    reply = room.post(PATH, ASKED, **with_key())
    assert reply.status == 200 and json.loads(reply.body)["choices"] and "could not be kept" in caplog.text
    assert kept(room) == []


def test_without_the_header_nothing_is_asked(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    from luodi.gateway.idempotency import Idempotency

    monkeypatch.setattr(Idempotency, "once", None)
    assert room.post(PATH, ASKED).status == 200 and kept(room) == []
