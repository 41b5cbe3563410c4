"""Sends what is in the outbox, in the background of a gateway.

Each webhook has a few places of its own, so that one whose receiver hangs takes none of another's, and none of the
calls': nothing of this is ever waited for by a call.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from luodi.errors import LuodiError
from luodi.gateway.webhooks.budgets import reached
from luodi.gateway.webhooks.hooks import Hook
from luodi.gateway.webhooks.outbox import Delivery, claim, due, finish, spread
from luodi.gateway.webhooks.outside import session
from luodi.gateway.webhooks.sign import headers_of
from luodi.store import Store
from luodi.store.audit.reading import snapshot
from luodi.store.database import now_ms
from luodi.store.tx import tx_of

EVERY_S = 1.0
BUDGETS_S = 5.0
_TIMEOUT_S = 10.0
_AT_ONCE = 4  # deliveries to one webhook, from one worker
_READ = 1024  # bytes of an answer
_log = logging.getLogger("luodi.gateway")


class Sender:
    """Delivers to `hooks` in the running loop, from `start` to `stop`.

    What is under way when it stops is cut off, and sent by whoever runs once its lease ends.
    """

    def __init__(self, store: Store, hooks: Mapping[str, Hook], *, every_s: float = EVERY_S) -> None:
        self._store, self._hooks, self._every_s = store, dict(hooks), every_s
        self._busy: Counter[str] = Counter()
        self._task: asyncio.Task[None] | None = None
        self._sending: set[asyncio.Task[None]] = set()
        self._budgets = any(h.wants("budget.reached") for h in self._hooks.values())
        self._told: set[str] = set()

    def start(self) -> None:
        if self._hooks:
            self._task = asyncio.get_running_loop().create_task(self._run(), name="webhooks")

    async def stop(self) -> None:
        tasks = [*self._sending, *([self._task] if self._task else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._task = None

    async def _run(self) -> None:
        looked = 0.0
        while True:
            try:
                if self._budgets and time.monotonic() - looked > BUDGETS_S:
                    looked = time.monotonic()
                    await asyncio.to_thread(reached, self._store, self._told)
                for delivery in await asyncio.to_thread(self._take):
                    self._begin(delivery)
            except LuodiError as error:  # tried again in a moment
                _log.warning("webhooks: %s", error.message)
            except Exception:
                _log.exception("webhooks could not be sent")
            await asyncio.sleep(self._every_s)

    def _take(self) -> list[Delivery]:
        with snapshot(self._store.database) as tx:  # most of the time there is nothing, and nobody is held up
            waiting = due(tx, now_ms())
        if not waiting:
            return []
        claimed: list[Delivery] = []
        with self._store.database.begin() as connection:
            tx = tx_of(connection)
            if "" in waiting and spread(tx, self._hooks.values(), now_ms()):
                waiting |= self._hooks.keys()
            for name in waiting & self._hooks.keys():
                free = _AT_ONCE - self._busy[name]
                if free > 0:
                    claimed += claim(tx, name, free, now_ms())
        return claimed

    def _begin(self, delivery: Delivery) -> None:
        self._busy[delivery.hook] += 1
        task = asyncio.get_running_loop().create_task(self._attempt(delivery), name=f"webhook {delivery.id}")
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def deliver(self, delivery: Delivery) -> str:
        """Try a delivery that was claimed, once; what came of it."""
        status, done = await send_once(self._hooks[delivery.hook], delivery)
        await asyncio.to_thread(_finish, self._store, delivery, status, done)
        return status

    async def _attempt(self, delivery: Delivery) -> None:
        try:
            await self.deliver(delivery)
        except LuodiError as error:  # it is sent again once the lease ends
            _log.warning("webhooks: %s", error.message)
        except Exception:
            _log.exception("%s could not be sent to %s", delivery.id, delivery.hook)
        finally:
            self._busy[delivery.hook] -= 1


def _finish(store: Store, delivery: Delivery, status: str, done: bool) -> None:
    with store.database.begin() as connection:
        finish(tx_of(connection), delivery, status, now_ms(), done=done)


async def send_once(hook: Hook, delivery: Delivery) -> tuple[str, bool]:
    """(what the receiver answered or what went wrong, whether that is the end of it)."""
    from aiohttp import ClientError

    body = delivery.body.encode()
    headers: dict[str, Any] = headers_of(hook.secrets, delivery.id, int(time.time()), body)
    headers |= {"content-type": "application/json", "user-agent": "Luodi-Webhooks/1"}
    refused: list[str] = []
    try:
        async with (
            session(hook.host, _TIMEOUT_S, refused) as client,
            client.post(hook.url, data=body, headers=headers, allow_redirects=False) as answer,
        ):
            status = answer.status
            with contextlib.suppress(ClientError, OSError, TimeoutError):
                await answer.content.read(_READ)  # what it says is of no use, but some count on being read
            answer.close()
    except TimeoutError:
        return f"no answer within {_TIMEOUT_S:g} s", False
    except (ClientError, OSError, ValueError) as error:
        return (f"refused: {refused[0]}" if refused else f"{type(error).__name__}: {error}"), False
    if 300 <= status < 400:
        return f"{status}: redirects are not followed", False
    return str(status), 200 <= status < 300 or status == 410  # 410: it wants nothing of this any more
