"""Delivery to a real receiver over the loopback: signed, repeated, claimed by one, survived."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from receiver import OLDER, SECRET, Receiver
from standardwebhooks.webhooks import Webhook

from luodi.errors import LuodiError
from luodi.gateway.events import emit
from luodi.gateway.webhooks import Sender, deliveries, outbox, purge, retry, send_once
from luodi.store import Store
from luodi.store.database import now_ms
from luodi.store.tx import tx_of


def tell(store: Store, kind: str = "key.revoked", count: int = 1) -> list[str]:
    with store.database.begin() as connection:
        return [emit(connection, kind, {"key": f"key_{n}"}) for n in range(count)]


def all_done(found: list[Any]) -> bool:
    return bool(found) and all(d.done_ms for d in found)


def test_an_event_is_delivered_and_signed(store: Store, hook: Callable[..., Any], send: Callable[..., Any]) -> None:
    with Receiver() as receiver:
        (event,) = tell(store)
        (sent,) = send(store, hook(receiver.url, "one", f"{SECRET} {OLDER}"), until=all_done)
        (got,) = receiver.got
    assert got.path == "/hook" and got.headers["content-type"] == "application/json"
    assert got.headers["webhook-id"] == event and abs(int(got.headers["webhook-timestamp"]) - time.time()) < 10
    assert got.event["type"] == "key.revoked" and got.event["data"] == {"key": "key_0"}
    assert got.signed_with(SECRET) and got.signed_with(OLDER)
    for secret in (SECRET, OLDER):
        assert Webhook(secret).verify(got.body, got.headers) == got.event
    assert (sent.status, sent.attempts, sent.hook) == ("200", 1, "one")


def test_each_hook_is_sent_what_it_asks_for(store: Store, hook: Callable[..., Any], send: Callable[..., Any]) -> None:
    with Receiver() as a, Receiver() as b:
        tell(store, "key.revoked")
        tell(store, "review.waiting")
        hooks = hook(a.url, "a"), hook(b.url, "b", SECRET, "review.waiting")
        send(store, *hooks, until=lambda found: len(found) == 3 and all_done(found))
        assert [g.event["type"] for g in b.got] == ["review.waiting"]
        assert sorted(g.event["type"] for g in a.got) == ["key.revoked", "review.waiting"]


def test_what_fails_is_tried_again_and_then_given_up(
    store: Store, hook: Callable[..., Any], send: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "pause_ms", lambda attempts: 1)
    with Receiver(lambda n: 500 if n < 2 else 200) as receiver:
        tell(store)
        (sent,) = send(store, hook(receiver.url), until=all_done)
        assert (sent.status, sent.attempts, len(receiver.got)) == ("200", 3, 3)
        assert len({g.headers["webhook-id"] for g in receiver.got}) == 1
        assert all(g.signed_with(SECRET) for g in receiver.got)
    other = Store(store.root.with_name("other"))
    with Receiver(lambda n: 503) as receiver:
        tell(other)
        (sent,) = send(other, hook(receiver.url), until=all_done)
        assert (sent.status, sent.attempts, len(receiver.got)) == ("503", outbox.ATTEMPTS, outbox.ATTEMPTS)


def test_gone_is_not_tried_again(store: Store, hook: Callable[..., Any], send: Callable[..., Any]) -> None:
    with Receiver(lambda n: 410) as receiver:
        tell(store)
        (sent,) = send(store, hook(receiver.url), until=all_done)
        assert (sent.status, len(receiver.got)) == ("410", 1)


def test_the_attempts_take_about_a_day() -> None:
    for _ in range(20):
        hours = sum(outbox.pause_ms(n) for n in range(1, outbox.ATTEMPTS)) / 3_600_000
        assert 16 < hours < 36
    assert 4_000 <= outbox.pause_ms(1) <= 6_000


def test_a_receiver_that_hangs_holds_up_no_other(
    store: Store, hook: Callable[..., Any], send: Callable[..., Any]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, Receiver() as receiver:
        tell(store, count=12)
        began = time.monotonic()
        hooks = hook(f"http://127.0.0.1:{silent.getsockname()[1]}/", "silent"), hook(receiver.url, "quick")
        found = send(store, *hooks, until=lambda found: sum(bool(d.done_ms) for d in found) == 12)
        assert time.monotonic() - began < 5
        assert len(receiver.got) == 12
        waiting = [d for d in found if d.hook == "silent"]
        assert len(waiting) == 12 and sum(d.attempts for d in waiting) == 4  # only so many are under way at once


def test_an_answer_is_not_read_to_its_end(hook: Callable[..., Any]) -> None:
    done = threading.Event()

    def pour(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n")
            try:
                while not done.is_set():
                    connection.sendall(b"x" * 65536)
            except OSError:
                done.set()

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=pour, args=(server,))
        thread.start()
        event = outbox.Delivery(1, "evt_1", 1, "ping", "one", "{}", 1, 1, 0, "")
        began = time.monotonic()
        assert asyncio.run(send_once(hook(f"http://127.0.0.1:{server.getsockname()[1]}/"), event)) == ("200", True)
        assert time.monotonic() - began < 3 and done.wait(5)
        thread.join()


def test_of_several_workers_one_sends_a_row(store: Store, hook: Callable[..., Any]) -> None:
    async def work(url: str) -> None:
        senders = [Sender(store, {"one": hook(url)}, every_s=0.005) for _ in range(4)]
        for sender in senders:
            sender.start()
        async with asyncio.timeout(20):
            while not all_done(found := await asyncio.to_thread(deliveries, store)) or len(found) < 40:
                await asyncio.sleep(0.02)
        for sender in senders:
            await sender.stop()

    with Receiver() as receiver:
        tell(store, count=40)
        asyncio.run(work(receiver.url))
        assert sorted(g.headers["webhook-id"] for g in receiver.got) == sorted({d.id for d in deliveries(store)})


def test_on_postgresql_too(
    tmp_path: Path, postgres_url: str, hook: Callable[..., Any], send: Callable[..., Any]
) -> None:
    store = Store(tmp_path / "pg", postgres_url)
    with Receiver() as receiver:
        (event,) = tell(store)
        (sent,) = send(store, hook(receiver.url), until=all_done)
        assert [g.headers["webhook-id"] for g in receiver.got] == [event] and sent.status == "200"
        with pytest.raises(LuodiError, match="taken by all"):
            retry(store, event, actor="test")
        with store.database.begin() as connection:
            tx_of(connection).run("UPDATE deliveries SET done_ms = 1")
        assert purge(store) == 2
    store.database.close()


@pytest.mark.slow
def test_a_killed_sender_loses_nothing(store: Store) -> None:
    held = threading.Event()

    def slowly(n: int) -> int:
        if n == 0:
            held.set()
            time.sleep(0.3)  # the sender is killed while it waits for this answer
        return 200

    with Receiver(slowly) as receiver:
        events = tell(store, count=20)
        command = [sys.executable, str(Path(__file__).with_name("sending.py")), str(store.root), receiver.url, SECRET]
        first = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert held.wait(20)
        first.send_signal(signal.SIGKILL)
        first.wait(10)
        assert any(not d.done_ms for d in deliveries(store))
        # Its lease is over in 30 s; here it is over now.
        with store.database.begin() as connection:
            tx_of(connection).run("UPDATE deliveries SET next_ms = ? WHERE done_ms IS NULL", (now_ms(),))
        second = subprocess.Popen(command, stdout=subprocess.PIPE)
        try:
            give_up = time.monotonic() + 20
            while not all_done(deliveries(store, most=99)) and time.monotonic() < give_up:
                time.sleep(0.05)
        finally:
            second.kill()
            second.wait(10)
        for process in (first, second):
            assert process.stdout is not None
            process.stdout.close()
        assert {g.headers["webhook-id"] for g in receiver.got} == set(events)
        assert all(g.signed_with(SECRET) for g in receiver.got)
        assert all(d.status == "200" for d in deliveries(store, most=99))


def test_an_event_without_a_webhook_goes_nowhere_and_goes_away(
    store: Store, hook: Callable[..., Any], send: Callable[..., Any]
) -> None:
    tell(store, "release.rolled_back")
    with Receiver() as receiver:
        (marker,) = tell(store, "key.revoked")
        send(store, hook(receiver.url, "one", SECRET, "key.revoked"), until=all_done)
        assert [g.headers["webhook-id"] for g in receiver.got] == [marker]
    assert purge(store) == 0
    with store.database.begin() as connection:
        tx_of(connection).run("UPDATE deliveries SET done_ms = done_ms - ?", (8 * 86_400_000,))
    assert purge(store) == 3 and deliveries(store) == []


def test_an_old_event_is_not_sent_by_a_gateway_that_comes_late(
    store: Store, hook: Callable[..., Any], send: Callable[..., Any]
) -> None:
    tell(store)
    with store.database.begin() as connection:
        tx_of(connection).run("UPDATE deliveries SET time_ms = time_ms - ?", (2 * 86_400_000,))
    with Receiver() as receiver:
        (fresh,) = tell(store)
        send(store, hook(receiver.url), until=all_done)
        assert [g.headers["webhook-id"] for g in receiver.got] == [fresh]


def test_a_delivery_is_sent_again(store: Store, hook: Callable[..., Any], send: Callable[..., Any]) -> None:
    with Receiver(lambda n: 410 if n == 0 else 200) as receiver:
        (event,) = tell(store)
        send(store, hook(receiver.url), until=all_done)
        assert retry(store, event[:12], actor="somebody") == 1
        (sent,) = send(store, hook(receiver.url), until=lambda found: found[0].status == "200")
        assert len(receiver.got) == 2 and sent.attempts == 1
    for id in ("evt_nothing", "evt", "%"):
        with pytest.raises(LuodiError):
            retry(store, id, actor="somebody")
    with store.database.begin() as connection:
        found = tx_of(connection).all("SELECT actor, subject FROM log WHERE kind = 'webhook.retried'")
    assert found == [("somebody", event)]
