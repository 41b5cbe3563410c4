"""What a store's database must do, whichever it is. Inherit from the class and give it a URL.

class TestSqlite(StoreConformance):
    def url(self, tmp_path: Path) -> str:
        return ""          # the file in the store's folder
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, insert, select

from luodi.errors import LuodiError, ReleaseError, StoreError
from luodi.gateway import ApiKeys
from luodi.gateway.ledger import Limits, Reservation, Scope, Settlement, reserve, settle
from luodi.gateway.ledger.meters import used
from luodi.gateway.records import read_record
from luodi.release import Registry
from luodi.store import Store, digest_bytes
from luodi.store.audit import LogRow
from luodi.store.database import Database, now_ms
from luodi.store.group import GroupWriter
from luodi.store.migrations import (
    MIGRATIONS,
    cache_entries,
    channels,
    key_secrets,
    log,
    migrate,
    releases,
    schema_version,
)
from luodi.store.migrations import (
    keys as keys_table,
)
from luodi.store.tx import tx_of
from luodi.testing.bundle import tiny_release


def settlement(
    number: int, *, scopes: tuple[str, ...] = (), held: tuple[str, ...] = (), nano: int = 3 * 10**12
) -> Settlement:
    now = now_ms()
    row = LogRow(f"rec_{number:08d}", now, "call", "k", "helpdesk@1", "generated", nano, {"said": "你好 🙂"})
    return Settlement("w", scopes, held, 400 if held else 0, 10 if held else 0, 10**6, nano, now, row)


def _with_writer(store: Store, work: Callable[[GroupWriter], Awaitable[None]]) -> None:
    """Run `work` with a writer over `store`, in a loop of its own."""
    books: dict[str, Any] = {"reserve": reserve, "settle": settle}
    writer = GroupWriter(store.database, books, durable=frozenset({"settle"}))

    async def run() -> None:
        await work(writer)
        await writer.drain()

    try:
        asyncio.run(run())
    finally:
        writer.close()


class StoreConformance:
    """`url` names an empty database of its own for each test; "" is the SQLite file of the store."""

    def url(self, tmp_path: Path) -> str:
        raise NotImplementedError

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        store = Store(tmp_path / "store", self.url(tmp_path))
        yield store
        store.database.close()

    def _count(self, store: Store, table: Any) -> int:
        with store.database.begin() as connection:
            return int(connection.execute(select(func.count()).select_from(table)).scalar_one())

    def test_migrations_are_done_once(self, store: Store) -> None:
        again = Database(store.database.url)
        with again.begin() as connection:
            assert connection.execute(select(schema_version.c.version)).scalars().all() == [len(MIGRATIONS)]
            assert migrate(connection) == len(MIGRATIONS)
        again.close()

    def test_a_newer_schema_is_refused(self, store: Store) -> None:
        with store.database.begin() as connection:
            connection.execute(schema_version.update().values(version=len(MIGRATIONS) + 1))
        with pytest.raises(StoreError, match="newer than this Luodi"):
            Database(store.database.url)

    def test_a_transaction_rolls_back_whole(self, store: Store) -> None:
        with pytest.raises(ZeroDivisionError), store.database.begin() as connection:
            connection.execute(insert(releases).values(name="a", version=1, digest="d", verdict="pass", time_ms=1))
            store.database.log(connection, "me", "release.made", "a@1")
            raise ZeroDivisionError
        assert self._count(store, releases) == self._count(store, log) == 0

    def test_events_keep_their_order_and_their_data(self, store: Store) -> None:
        for number in range(5):
            with store.database.begin() as connection:
                store.database.log(connection, "我", "key.made", f"k{number}", owner="商店 🙂", number=number)
        with store.database.begin() as connection:
            rows = connection.execute(select(log).order_by(log.c.seq)).all()
        assert [r.subject for r in rows] == [f"k{n}" for n in range(5)]
        assert rows[0].actor == "我" and '"number":0' in rows[0].body

    def test_a_channel_needs_its_release(self, store: Store) -> None:
        from sqlalchemy.exc import IntegrityError

        with pytest.raises(IntegrityError), store.database.begin() as connection:
            connection.execute(insert(channels).values(name="a", channel="live", version=9, time_ms=1))
        assert self._count(store, channels) == 0

    def test_releases_and_channels(self, store: Store) -> None:
        registry = Registry(store)
        first, second = tiny_release(store), tiny_release(store)
        assert [str(first), str(second)] == ["helpdesk@1", "helpdesk@2"]
        assert registry.find("helpdesk@candidate") == second
        registry.move(first, "live", "me")
        registry.move(second, "live", "me")
        assert [str(registry.find(f"helpdesk@{c}")) for c in ("live", "previous")] == ["helpdesk@2", "helpdesk@1"]
        now, was = registry.rollback("helpdesk", "me")
        assert [str(now), str(was), str(registry.find("helpdesk"))] == ["helpdesk@1", "helpdesk@2", "helpdesk@1"]
        with pytest.raises(ReleaseError):
            registry.move(tiny_release(store, failing=True), "live", "me")

    def test_keys(self, store: Store) -> None:
        keys = ApiKeys(store)
        key_id, secret = keys.create("shop")
        late_id, late = keys.create("late", days=1e-9)
        found = keys.find(secret)
        assert found is not None and (found.key_id, found.role) == (key_id, "user")
        keys.revoke(key_id)
        assert keys.find(secret) is None
        assert keys.find(late) is None and keys.find("luodi-wrong") is None
        assert [k["id"] for k in keys.all()] == [key_id, late_id]
        with store.database.begin() as connection:
            kept = [connection.execute(select(table)).all() for table in (keys_table, key_secrets)]
        assert secret not in str(kept)
        with pytest.raises(LuodiError):
            keys.revoke("nobody")

    def test_records_are_durable_when_acknowledged(self, store: Store) -> None:
        async def write(writer: GroupWriter) -> None:
            places = await asyncio.gather(*(writer.put("settle", settlement(n)) for n in range(600)))
            assert sorted(places) == list(range(600))

        _with_writer(store, write)
        assert self._count(store, log) == 600
        row = read_record(store, "record:rec_00000042")
        assert row["cost_nano_usd"] == 3 * 10**12 and row["said"] == "你好 🙂"
        with pytest.raises(StoreError, match="several"):
            read_record(store, "rec_0000")

    def test_a_bad_record_is_reported_and_those_beside_it_are_written(self, store: Store) -> None:
        async def write(writer: GroupWriter) -> None:
            results = await asyncio.gather(
                *(writer.put("settle", settlement(n)) for n in (1, 2, 1, 3)), return_exceptions=True
            )
            assert [isinstance(r, StoreError) for r in results] == [False, False, True, False]

        _with_writer(store, write)
        assert self._count(store, log) == 3

    def test_a_caller_that_goes_away_does_not_stop_the_records(self, store: Store) -> None:
        async def write(writer: GroupWriter) -> None:
            for number in range(50):
                writer.put("settle", settlement(number)).cancel()
            await writer.put("settle", settlement(50))

        _with_writer(store, write)
        assert self._count(store, log) == 51

    def test_money_is_held_and_settled_exactly(self, store: Store) -> None:
        scopes = (Scope("key:k", Limits(day_nano_usd=1000, concurrent=3)),)

        async def write(writer: GroupWriter) -> None:
            ask = [Reservation("w", scopes, 10, 400, now_ms()) for _ in range(4)]
            rooms = await asyncio.gather(*(writer.put("reserve", r) for r in ask))
            assert [r.denied for r in rooms] == ["", "", "day_nano_usd", "day_nano_usd"]
            for n in (1, 2):
                await writer.put("settle", settlement(n, scopes=("key:k", "project"), held=("key:k",), nano=123))
            room = await writer.put("reserve", Reservation("w", scopes, 10, 754, now_ms()))
            assert room.denied == ""  # 1000 - 2 * 123 = 754, to the last
            room = await writer.put("reserve", Reservation("w", scopes, 10, 1, now_ms()))
            assert room.denied == "day_nano_usd"

        _with_writer(store, write)
        with store.database.begin() as connection:
            spent = used(tx_of(connection), "project", Limits(), now_ms())
            mine = used(tx_of(connection), "key:k", scopes[0].limits, now_ms())
        assert spent["nano_usd"] == mine["nano_usd"] == 246 and mine["held_nano_usd"] == 754

    def test_cache_rows(self, store: Store) -> None:
        row = {
            "key": digest_bytes(b"k"), "scope": "", "release": "helpdesk@1", "subject": "key:k", "record": "rec_1",
            "expires_ms": now_ms(), "size": 90_000, "question": "", "embedder": "", "vector": None,
            "reply": '{"text": "你好"}'.encode() * 5000,
        }  # fmt: skip
        with store.database.begin() as connection:
            connection.execute(insert(cache_entries).values(**row))
        with store.database.begin() as connection:
            found = connection.execute(select(cache_entries.c.seq, cache_entries.c.reply)).one()
        assert found[0] > 0 and bytes(found[1]) == row["reply"]

    def test_writers_wait_for_each_other(self, store: Store) -> None:
        failures: list[BaseException] = []

        def write(number: int) -> None:
            try:
                for n in range(10):
                    with store.database.begin() as connection:
                        store.database.log(connection, "me", "test", f"{number}/{n}")
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=write, args=(n,)) for n in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures
        assert self._count(store, log) == 60
