"""Answers kept in Redis are found and erased with the rest, by whose they are and by what they say."""

from __future__ import annotations

import asyncio

import pytest

from luodi.errors import StoreError
from luodi.gateway.cache.entry import Entry
from luodi.gateway.cache.redis_store import RedisStore
from luodi.gateway.forget import find, forget
from luodi.store.database import now_ms
from luodi.store.sealing import Sealing


def keep(home, url: str, key: str, subject: str, text: str) -> None:
    def sealed(plain: str) -> bytes:
        return Sealing(home.store).seal(plain.encode(), b"cache" + key.encode())

    async def work() -> None:
        behind = RedisStore(url, wait_s=5.0)
        assert await behind.news() is not None  # connected, so that `stop` waits for what is put
        behind.put(
            Entry(key, "helpdesk@1", subject, f"req_{key}", now_ms() + 10**6, sealed(text), "scope",
                  sealed("a question").hex(), "toy", sealed("vector"))
        )  # fmt: skip
        await behind.stop()

    asyncio.run(work())


def test_answers_in_redis(home, redis_url: str) -> None:
    redis = pytest.importorskip("redis")
    with (home.root / "luodi.yaml").open("a") as file:
        file.write(f"serve: {{redis: '{redis_url}'}}\n")
    keep(home, redis_url, "a" * 8, "user:4711", "On its way.")
    keep(home, redis_url, "b" * 8, "user:1", "Ask 张三.")
    keep(home, redis_url, "c" * 8, "user:2", "The tray is empty.")
    person = home.person()
    found = find(home.store, home.loaded, person, actor="me")
    assert found.kept.redis == ["a" * 8, "b" * 8]
    with redis.from_url(redis_url) as client:
        epoch = int(client.get("luodi:{cache}:epoch") or 0)
        forget(home.store, home.loaded, person, found, reason="asked", actor="me")
        assert [k.decode()[-8:] for k in client.keys("luodi:{cache}:k:*")] == ["c" * 8]
        (stream,) = client.keys("luodi:{cache}:v:*")
        assert [fields[b"key"].decode() for _, fields in client.xrange(stream)] == ["c" * 8]
        assert int(client.get("luodi:{cache}:epoch")) == epoch + 1
        assert not client.keys("luodi:{cache}:i:s:user:4711") and client.keys("luodi:{cache}:i:s:user:2")
    assert not find(home.store, home.loaded, person, actor="me").kept.redis


def test_redis_that_does_not_answer_is_told(home) -> None:
    pytest.importorskip("redis")
    with (home.root / "luodi.yaml").open("a") as file:
        file.write("serve: {redis: 'redis://127.0.0.1:1/0'}\n")
    with pytest.raises(StoreError, match="could not be searched"):
        find(home.store, home.loaded, home.person(), actor="me")
