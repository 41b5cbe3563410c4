"""A gateway with webhooks: its calls never wait for a receiver."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import Any

import pytest
from asking import ask
from receiver import SECRET, Receiver

from luodi.errors import ProjectError
from luodi.gateway import GatewayOptions, background
from luodi.gateway.background import Background
from luodi.gateway.events import emit
from luodi.gateway.webhooks import Breakers, deliveries

Q = "How do I make a form field optional?"


def options(*urls: str, **more: Any) -> GatewayOptions:
    hooks = tuple(
        {"name": f"h{n}", "url": url, "secret": "env:HOOK_SECRET", "events": []} for n, url in enumerate(urls)
    )
    return GatewayOptions(webhooks=hooks, exact_cache=False, **more)


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_SECRET", SECRET)


async def _timed(house: Any, count: int) -> list[float]:
    taken = []
    for _ in range(count):
        began = time.perf_counter()
        assert (await ask(house, Q)).status == 200
        taken.append(time.perf_counter() - began)
    return sorted(taken)


def test_a_receiver_that_never_answers_slows_no_call(open_house: Any) -> None:
    async def work(house: Any, url: str) -> tuple[list[float], list[float]]:
        quiet = await _timed(house, 20)
        house_background = Background(house.gateway)
        house_background.start()
        with house.store.database.begin() as connection:
            for n in range(50):
                emit(connection, "key.revoked", {"key": str(n)})
        while not any(d.attempts for d in await asyncio.to_thread(deliveries, house.store)):
            await asyncio.sleep(0.01)
        busy = await _timed(house, 20)
        assert not any(d.done_ms for d in await asyncio.to_thread(deliveries, house.store))
        began = time.perf_counter()
        await house_background.stop()
        assert time.perf_counter() - began < 2  # an orderly end does not wait for it either
        return quiet, busy

    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        house = open_house(run=options(url))
        quiet, busy = asyncio.run(work(house, url))
    assert busy[10] < quiet[10] * 3 + 0.02 and busy[-1] < 1, (quiet, busy)


def test_a_secret_that_is_missing_is_told_before_anything_is_served(
    open_house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOOK_SECRET")
    with pytest.raises(ProjectError, match="HOOK_SECRET is not set"):
        open_house(run=options("https://x.example/"))


def test_a_breaker_that_opens_is_told_of(open_house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "_EVERY_S", 0.02)

    async def work(house: Any, receiver: Receiver) -> None:
        running = Background(house.gateway)
        running._sender._every_s = 0.02
        running.start()
        breaker = house.gateway.served.pool._members[0][1]
        for _ in range(5):
            breaker.begin()
            breaker.end(failed=True)
        await asyncio.to_thread(receiver.wait, 1)
        await asyncio.sleep(0.1)
        await running.stop()

    with Receiver() as receiver:
        house = open_house(run=options(receiver.url))
        asyncio.run(work(house, receiver))
        (got,) = receiver.got
    assert got.event["type"] == "breaker.opened" and got.event["data"]["pool"] == "answers"
    assert got.event["data"]["upstream"].startswith("fake/")


def test_a_breaker_is_told_of_once_until_it_has_closed() -> None:
    class Pool:
        name = "p"
        state = "closed"

        def health(self) -> list[dict[str, Any]]:
            return [{"upstream": "u", "model": "m", "state": self.state}]

    pool, breakers, told = Pool(), Breakers(), []
    for state in ("closed", "open", "open", "half open", "open", "closed", "open"):
        pool.state = state
        told.append(len(breakers.opened([pool])))
    assert told == [0, 1, 0, 0, 0, 0, 1]
