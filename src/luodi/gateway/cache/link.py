"""A connection to Redis or Valkey that nobody waits for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from luodi.errors import LuodiError, require
from luodi.gateway.cache.patience import Patience

T = TypeVar("T")


class Link:
    """One pool of connections for each event loop it is used from.

    Args:
        wait_s: how long a command may take before its answer is done without.

    Raises:
        LuodiError: the URL is none of Redis's.
        MissingExtraError: the library is not installed.
    """

    def __init__(self, url: str, *, wait_s: float = 0.05) -> None:
        if not url.startswith(("redis://", "rediss://", "unix://")):
            raise LuodiError(f"{url.partition('@')[2] or url!r} is not a URL of Redis", "write redis://host:6379/0")
        self._redis = require("redis.asyncio", extra="redis")
        self._url, self._wait_s = url, wait_s
        self._client: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self.patience = Patience("Redis", wait_s=wait_s)

    def _open(self) -> Any:
        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is not loop:
            self._loop = loop
            self._client = self._redis.from_url(
                self._url, socket_timeout=self._wait_s, socket_connect_timeout=self._wait_s, max_connections=64,
                retry=None, retry_on_timeout=False, health_check_interval=0,
            )  # fmt: skip
        return self._client

    async def ask(self, work: Callable[[Any], Awaitable[T]]) -> T | None:
        """What `work` gets from the client it is given; None if Redis does not answer in time."""
        return await self.patience.ask(lambda: work(self._open()))

    def send(self, work: Callable[[Any], Awaitable[Any]]) -> None:
        """Do `work` without waiting for it. It is left out if much is waiting already."""
        if len(self._tasks) >= 256 or self.patience.off:
            return
        task = asyncio.get_running_loop().create_task(self._do(work), name="redis")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _do(self, work: Callable[[Any], Awaitable[Any]]) -> None:
        await self.ask(work)

    async def stop(self) -> None:
        """Finish what is being written, and close the connections, inside the loop that used them."""
        if self._client is not None and self._loop is asyncio.get_running_loop():
            if self._tasks:
                await asyncio.wait(set(self._tasks), timeout=2 * self._wait_s)
            await self._client.aclose()
            self._client = None
