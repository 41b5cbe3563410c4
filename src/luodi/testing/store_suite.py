"""What a store's database must do, whichever it is. Inherit from the class and give it a URL.

class TestSqlite(StoreConformance):
    def url(self, tmp_path: Path) -> str:
        return ""          # the file in the store's folder
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, insert, select

from luodi.errors import LuodiError, ReleaseError, StoreError
from luodi.gateway import ApiKeys
from luodi.gateway.records import Recorder, read_record
from luodi.release import Registry
from luodi.store import Store, digest_bytes
from luodi.store.database import Database, now_ms
from luodi.store.migrations import (
    MIGRATIONS,
    api_keys,
    channels,
    events,
    migrate,
    records,
    releases,
    reply_cache,
    schema_version,
)
from luodi.testing.bundle import tiny_release


def record_row(number: int) -> dict[str, Any]:
    return {
        "id": f"rec_{number:08d}", "time_ms": now_ms(), "key_id": "k", "release": "helpdesk@1", "surface": "test",
        "outcome": "generated", "prompt_tokens": 10**6, "completion_tokens": 7, "cost_nano_usd": 3 * 10**12,
        "duration_ms": 12, "data": {"finish": "stop", "said": "你好 🙂"},
    }  # fmt: skip


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
        assert self._count(store, releases) == self._count(store, events) == 0

    def test_events_keep_their_order_and_their_data(self, store: Store) -> None:
        for number in range(5):
            with store.database.begin() as connection:
                store.database.log(connection, "我", "key.made", f"k{number}", owner="商店 🙂", number=number)
        with store.database.begin() as connection:
            rows = connection.execute(select(events).order_by(events.c.id)).all()
        assert [r.subject for r in rows] == [f"k{n}" for n in range(5)]
        assert rows[0].actor == "我" and '"number": 0' in rows[0].data

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
            kept = connection.execute(select(api_keys)).all()
        assert secret not in str(kept)
        with pytest.raises(LuodiError):
            keys.revoke("nobody")

    def test_records_are_durable_when_acknowledged(self, store: Store) -> None:
        recorder = Recorder(store)
        futures = [recorder.put(record_row(n)) for n in range(600)]  # more than two groups
        for future in futures:
            future.result(timeout=30)
        recorder.close()
        assert self._count(store, records) == 600
        row = read_record(store, "record:rec_00000042")
        assert row["cost_nano_usd"] == 3 * 10**12 and row["said"] == "你好 🙂"
        with pytest.raises(StoreError, match="several"):
            read_record(store, "rec_0000")

    def test_a_bad_record_is_reported_and_the_next_is_written(self, store: Store) -> None:
        recorder = Recorder(store)
        recorder.put(record_row(1)).result(timeout=30)
        with pytest.raises(Exception):  # noqa: B017 - the same id again; which error depends on the database
            recorder.put(record_row(1)).result(timeout=30)
        recorder.put(record_row(2)).result(timeout=30)
        recorder.close()
        assert self._count(store, records) == 2

    def test_a_caller_that_goes_away_does_not_stop_the_records(self, store: Store) -> None:
        recorder = Recorder(store)
        for number in range(50):
            recorder.put(record_row(number)).cancel()  # what asyncio does to a future whose task is cancelled
        recorder.put(record_row(50)).result(timeout=30)
        recorder.close()
        assert self._count(store, records) == 51

    def test_cache_rows(self, store: Store) -> None:
        row = {
            "key": digest_bytes(b"k"),
            "release": "helpdesk@1",
            "time_ms": now_ms(),
            "reply": '{"text": "你好"}' * 5000,
        }
        with store.database.begin() as connection:
            connection.execute(insert(reply_cache).values(**row))
        with store.database.begin() as connection:
            assert connection.execute(select(reply_cache.c.reply)).scalar_one() == row["reply"]

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
        assert self._count(store, events) == 60
