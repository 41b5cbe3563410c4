"""What a worker does beside answering: it says that it lives, settles for those that don't, signs the log."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from luodi.errors import LuodiError
from luodi.gateway.events import emit
from luodi.gateway.experiment import look
from luodi.gateway.idempotency import purge
from luodi.gateway.ledger.workers import recover
from luodi.gateway.webhooks import Breakers, Sender, open_hooks
from luodi.gateway.webhooks import purge as purge_deliveries
from luodi.store.audit import Checkpointer, retain

if TYPE_CHECKING:
    from luodi.gateway.core import Gateway

_EVERY_S = 5.0
_FOLLOW_S = 1.0
_RETAIN_S = 3600.0
_log = logging.getLogger("luodi.gateway")


class Background:
    """Runs in the loop that serves, from `start` to `stop`."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._tasks: list[asyncio.Task[None]] = []
        options = gateway.options
        self._checkpointer = Checkpointer(gateway.store, options.anchors, seconds=options.checkpoint_s)
        hooks = open_hooks(options.webhooks, plain=options.outside_plain)
        self._sender = Sender(gateway.store, hooks)
        self._breakers = Breakers() if any(h.wants("breaker.opened") for h in hooks.values()) else None

    def start(self) -> None:
        self._checkpointer.start()
        self._sender.start()
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(work, name="background") for work in (self._run(), self._follow())]

    async def stop(self) -> None:
        if not self._tasks:
            return
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        await self._sender.stop()
        await self._checkpointer.close()

    async def _follow(self) -> None:
        """Releases and experiments."""
        while True:
            try:
                await self._gateway.fleet.turn()
                if self._gateway.fleet.running:
                    for plan in await asyncio.to_thread(look, self._gateway.store, emit):
                        _log.warning("%s %s: %s %s", plan.kind, plan.id, plan.state, plan.reason)
                    await self._gateway.fleet.turn()
            except LuodiError as error:  # tried again in a moment
                _log.warning("%s", error.message)
            except Exception:
                _log.exception("following releases failed")
            await asyncio.sleep(_FOLLOW_S)

    async def _run(self) -> None:
        retained = 0.0
        while True:
            await asyncio.sleep(_EVERY_S)
            try:
                await asyncio.to_thread(self._gateway.worker.seen)
                if self._gateway.unsettled:
                    await self._gateway.record.again()
                lost = await asyncio.to_thread(recover, self._gateway.store)
                if lost:
                    _log.warning("settled %d calls of a worker that was killed", len(lost))
                if self._breakers is not None:
                    served = self._gateway.served
                    opened = self._breakers.opened({p.name: p for p in (served.pool, *served.pools.values())}.values())
                    if opened:
                        await asyncio.to_thread(self._tell, opened)
                if time.monotonic() - retained > _RETAIN_S:
                    retained = time.monotonic()
                    await asyncio.to_thread(self._retain)
            except LuodiError as error:  # tried again in a moment
                _log.warning("%s", error.message)
            except Exception:
                _log.exception("background work failed")

    def _tell(self, opened: list[dict[str, str]]) -> None:
        with self._gateway.store.database.begin() as connection:
            for data in opened:
                emit(connection, "breaker.opened", data)

    def _retain(self) -> None:
        purge(self._gateway.store)
        purge_deliveries(self._gateway.store)
        self._gateway.pseudonyms.expire()
        options = self._gateway.options
        retain(
            self._gateway.store,
            days=options.record_days or None,
            content_days=options.content_days or None,
            actor="luodi serve",
        )
