"""Answers by key: memory first, then what all workers share."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from luodi.gateway.cache.database import DatabaseStore
from luodi.gateway.cache.entry import CacheStore, Entry
from luodi.gateway.cache.identity import Identity
from luodi.gateway.cache.memory import Memory
from luodi.gateway.cache.sealed import Sealed
from luodi.gateway.cache.semantic import Asked, Semantic
from luodi.store.database import now_ms

if TYPE_CHECKING:
    from luodi.engine.embed import Embedder
    from luodi.gateway.options import GatewayOptions
    from luodi.store import Store
    from luodi.store.group import GroupWriter

_FRESH_S = 1.0  # how long what was erased elsewhere may still be remembered here


class Answers:
    """Keeps and finds answers. Nothing here raises: a cache that is broken finds nothing."""

    def __init__(self, store: CacheStore, ttl_ms: int, semantic: Semantic | None = None) -> None:
        self.store = store
        self.semantic = semantic
        self.memory = Memory()
        self._ttl_ms = ttl_ms
        self._epoch: int | None = None
        self._fresh_until = 0.0

    async def get(self, key: str) -> bytes | None:
        """The reply that is kept under `key`.

        At most once a second the store is asked whether something was erased. As long as it can't be asked, nothing
        is given from memory: it might have been.
        """
        if time.monotonic() >= self._fresh_until and not await self._follow():
            return None
        now = now_ms()
        reply = self.memory.get(key, now)
        if reply is None:
            found = await self.store.get(key)
            if found is not None and found[0] > now:
                reply = found[1]
                self.memory.put(key, found[0], reply)
        return reply

    async def _follow(self) -> bool:
        self._fresh_until = time.monotonic() + _FRESH_S  # others need not ask at the same time
        news = await self.store.news()
        if news is None:
            self.clear()
            self._fresh_until = 0.0
            return False
        if news.epoch != self._epoch:
            if self._epoch is not None:
                self.clear()
            self._epoch = news.epoch
        return True

    def put(
        self, identity: Identity, reply: bytes, *, release: str, subject: str, record: str, asked: Asked | None = None
    ) -> None:
        """Keep a reply, unless somebody else did so while it was made."""
        now = now_ms()
        if self.memory.get(identity.key, now) is not None:
            return
        expires = now + self._ttl_ms
        entry = Entry(identity.key, release, subject, record, expires, reply)
        if asked is not None and self.semantic is not None:
            entry = self.semantic.keep(entry, asked)
        self.memory.put(identity.key, expires, reply)
        self.store.put(entry)

    async def delete(self, *, subject: str = "", release: str = "", record: str = "") -> int:
        """Erase what is kept of a subject, a release or a call, here and everywhere within 1 s; -1 if it failed."""
        self.clear()
        return await self.store.delete(subject=subject, release=release, record=record)

    def clear(self) -> None:
        """Forget what is in memory."""
        self.memory.clear()
        if self.semantic is not None:
            self.semantic.clear()

    async def stop(self) -> None:
        """Finish what is being written, inside the loop that served."""
        await self.store.stop()

    def close(self) -> None:
        if self.semantic is not None:
            self.semantic.close()
        self.store.close()


def open_answers(
    store: Store, writer: GroupWriter, options: GatewayOptions, embedder: Callable[[], Embedder] | None = None
) -> Answers | None:
    """The cache that the options ask for; None if they ask for none.

    Where no content is kept, answers stay in memory. They are kept no longer than content is.
    """
    if not options.exact_cache and not options.semantic_cache:
        return None
    minutes = options.cache_minutes
    if options.keep_content and options.content_days:
        minutes = min(minutes, options.content_days * 1440)
    behind: CacheStore
    if options.redis and options.keep_content:
        from luodi.gateway.cache.redis_store import RedisStore

        behind = RedisStore(options.redis)
    else:
        behind = DatabaseStore(store, writer, read=options.keep_content)
    sealed = Sealed(behind, store)
    semantic = None
    if options.semantic_cache:
        from luodi.engine.embed import open_embedder

        semantic = Semantic(embedder or open_embedder, options.similarity, sealed)
    return Answers(sealed, round(minutes * 60_000), semantic)
