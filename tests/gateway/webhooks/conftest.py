from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from receiver import SECRET

from luodi.gateway.webhooks import Hook, Sender, deliveries
from luodi.gateway.webhooks.sign import secrets_of
from luodi.store import Store


@pytest.fixture
def hook() -> Callable[..., Hook]:
    """Makes a webhook: its address, then name, secret, events."""

    def make(url: str, name: str = "one", secret: str = SECRET, *events: str) -> Hook:
        return Hook(name, url, "127.0.0.1", secrets_of(secret, "SECRET"), frozenset(events))

    return make


@pytest.fixture
def send() -> Callable[..., Any]:
    """Runs a sender until `until` says so of the deliveries."""

    def run(store: Store, *hooks: Hook, until: Callable[[list[Any]], bool]) -> list[Any]:
        async def work() -> list[Any]:
            sender = Sender(store, {h.name: h for h in hooks}, every_s=0.01)
            sender.start()
            try:
                async with asyncio.timeout(20):
                    while not until(found := await asyncio.to_thread(deliveries, store)):
                        await asyncio.sleep(0.01)
                return found
            finally:
                await sender.stop()

        return asyncio.run(work())

    return run
