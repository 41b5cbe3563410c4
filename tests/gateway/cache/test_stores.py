"""Kept answers in SQLite, PostgreSQL and Redis: one suite for all; limits a minute that machines share in Redis."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from luodi.gateway.cache import CacheStore
from luodi.gateway.cache.database import DatabaseStore, Keeper
from luodi.gateway.cache.redis_store import RedisStore
from luodi.gateway.cache.sealed import Sealed
from luodi.gateway.ledger.limits import Limits, Scope
from luodi.gateway.ledger.shared_limits import SharedLimits
from luodi.store import Store
from luodi.store.group import GroupWriter
from luodi.testing import CacheConformance


class InDatabase(CacheConformance):
    store: Store

    def run(self, work: Callable[..., Awaitable[None]]) -> None:
        async def whole() -> None:
            writers = [GroupWriter(self.store.database, {"cache": Keeper()}, durable=frozenset()) for _ in range(2)]
            mine, other = (Sealed(DatabaseStore(self.store, w), self.store) for w in writers)

            async def settle() -> None:
                for writer in writers:
                    await writer.drain()

            try:
                await work(mine, other, settle)
            finally:
                await settle()
                for writer in writers:
                    writer.close()
                for store in (mine, other):
                    store.close()

        asyncio.run(whole())


class TestSqlite(InDatabase):
    @pytest.fixture(autouse=True)
    def open(self, tmp_path: Path) -> Any:
        self.store = Store(tmp_path / "store")
        yield
        self.store.database.close()


@pytest.mark.slow
class TestPostgres(InDatabase):
    @pytest.fixture(autouse=True)
    def open(self, tmp_path: Path, postgres_url: str) -> Any:
        self.store = Store(tmp_path / "store", postgres_url)
        yield
        self.store.database.close()


@pytest.mark.slow
class TestRedis(CacheConformance):
    @pytest.fixture(autouse=True)
    def open(self, tmp_path: Path, redis_url: str) -> Any:
        self.store, self.url = Store(tmp_path / "store"), redis_url
        yield
        self.store.database.close()

    def run(self, work: Callable[..., Awaitable[None]]) -> None:
        async def whole() -> None:
            stores: list[CacheStore] = [Sealed(RedisStore(self.url, wait_s=1.0), self.store) for _ in range(2)]

            async def settle() -> None:
                await asyncio.sleep(0.03)

            try:
                await work(*stores, settle)
            finally:
                for store in stores:
                    await store.stop()

        asyncio.run(whole())


SCOPES = (
    Scope("key:k", Limits(requests_minute=5)),
    Scope("team:t", Limits(tokens_minute=1000)),
    Scope("project", Limits()),
)


@pytest.mark.slow
def test_machines_share_what_a_minute_allows(redis_url: str) -> None:
    async def work() -> None:
        machines = [SharedLimits(redis_url, wait_s=1.0) for _ in range(2)]
        rooms = [await machines[n % 2].take(SCOPES, 10) for n in range(6)]
        assert [r.denied for r in rooms if r] == [""] * 5 + ["requests_minute"]
        last = rooms[-1]
        assert last is not None and (last.scope, last.requests[0]) == ("key:k", 5) and 0 < last.retry_ms <= 12_000
        team = (SCOPES[1],)
        room = await machines[0].take(team, 2000)
        assert room is not None and (room.denied, room.retry_ms) == ("tokens_minute", -1)
        room = await machines[0].take(team, 940)
        assert room is not None and not room.denied and room.tokens[1] < 30
        machines[0].correct(team, -900)
        await asyncio.sleep(0.05)
        room = await machines[1].take(team, 800)
        assert room is not None and not room.denied, "what was not used was given back"
        for machine in machines:
            await machine.stop()

    asyncio.run(work())


@pytest.mark.slow
def test_many_at_once_never_pass_a_limit(redis_url: str) -> None:
    async def work() -> None:
        machines = [SharedLimits(redis_url, wait_s=5.0) for _ in range(3)]
        scope = (Scope("key:busy", Limits(requests_minute=50)),)
        began = time.monotonic()
        rooms = await asyncio.gather(*(machines[n % 3].take(scope, 1) for n in range(200)))
        let_in = sum(r is not None and not r.denied for r in rooms)
        assert 50 <= let_in <= 51 + (time.monotonic() - began) * 50 / 60
        for machine in machines:
            await machine.stop()

    asyncio.run(work())
