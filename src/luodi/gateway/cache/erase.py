"""Erasing answers from outside a gateway: by law, or because a release was withdrawn."""

from __future__ import annotations

import asyncio

from luodi.errors import StoreError
from luodi.gateway.cache.database import forget
from luodi.store import Store
from luodi.store.tx import tx_of


def erase(store: Store, *, redis: str = "", subject: str = "", release: str = "", record: str = "") -> int:
    """How many kept answers of a subject ("user:NAME", "key:ID"), a release or a call were erased.

    Workers forget what they remember within a second. `redis` is the URL of `serve.redis`.

    Raises:
        StoreError: the database or Redis can't be used; nothing is known to be erased there.
    """
    with store.database.begin() as connection:
        done = forget(tx_of(connection), subject=subject, release=release, record=record)
    if redis:
        from luodi.gateway.cache.redis_store import RedisStore

        async def work() -> int:
            behind = RedisStore(redis, wait_s=5.0)
            try:
                return await behind.delete(subject=subject, release=release, record=record)
            finally:
                await behind.stop()

        more = asyncio.run(work())
        if more < 0:
            raise StoreError("the answers kept in Redis could not be erased", "start it, then try again")
        done += more
    return done
