from __future__ import annotations

import json
import multiprocessing
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select
from sqlalchemy.exc import IntegrityError as ConstraintError

from luodi.errors import StoreError
from luodi.store import migrations
from luodi.store.database import Database, sqlite_url
from luodi.store.migrations import MIGRATIONS, channels, log, releases

RELEASE = {"name": "r", "version": 1, "digest": "d", "verdict": "pass", "time_ms": 1}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.db"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    opened = Database(sqlite_url(path))
    yield opened
    opened.close()


def count(database: Database) -> int:
    with database.begin() as connection:
        return connection.execute(select(func.count()).select_from(log)).scalar_one()


def test_schema_is_made_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    monkeypatch.setattr(migrations, "MIGRATIONS", [*MIGRATIONS, lambda connection: calls.append(1)])
    for _ in range(3):
        Database(sqlite_url(path)).close()
    assert calls == [1]


def test_old_schema_is_brought_up_to_date(database: Database, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with database.begin() as connection:
        database.log(connection, "me", "made", "x")
    calls: list[int] = []
    monkeypatch.setattr(migrations, "MIGRATIONS", [*MIGRATIONS, lambda _: calls.append(1), lambda _: calls.append(2)])
    newer = Database(sqlite_url(path))
    assert (calls, count(newer)) == ([1, 2], 1)
    newer.close()


def test_failed_migration_leaves_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(migrations, "MIGRATIONS", [*MIGRATIONS, fails])
        with pytest.raises(ZeroDivisionError):
            Database(sqlite_url(path))
    Database(sqlite_url(path)).close()


def test_newer_schema_is_refused(database: Database, path: Path) -> None:
    with database.begin() as connection:
        connection.execute(migrations.schema_version.update().values(version=99))
    with pytest.raises(StoreError, match="schema 99 is newer") as caught:
        Database(sqlite_url(path))
    assert caught.value.hint == "upgrade Luodi"


@pytest.mark.parametrize("content", [b"not a database at all " * 400, b"SQLite format 3\0" + b"\xff" * 9000])
def test_file_that_is_no_database(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(StoreError, match="can't be used") as caught:
        Database(sqlite_url(path))
    assert "check" in caught.value.hint


def test_database_damaged_while_in_use(database: Database, path: Path) -> None:
    with database.begin() as connection:
        for _ in range(500):
            database.log(connection, "me", "made", "x" * 200)
    database.close()
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)  # the first page, with the header, is whole
    path.write_bytes(data)
    with pytest.raises(StoreError, match=r"malformed|not a database"):
        count(database)


def test_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="can't be used"):
        Database(sqlite_url(tmp_path / "absent" / "x.db"))


def test_transaction_is_kept_whole(database: Database) -> None:
    with database.begin() as connection:
        connection.execute(insert(releases).values(RELEASE))
        database.log(connection, "me", "made", "r/1")
    assert count(database) == 1


def test_event_goes_with_the_transaction_it_tells_of(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.begin() as connection:
        connection.execute(insert(releases).values(RELEASE))
        database.log(connection, "me", "made", "r/1")
        raise ZeroDivisionError
    with database.begin() as connection:
        assert connection.execute(select(releases)).all() == []
    assert count(database) == 0


def test_event_says_who_did_what(database: Database) -> None:
    with database.begin() as connection:
        database.log(connection, "me", "made", "r/1", why="because", n=3)
        row = connection.execute(select(log)).one()
    assert (row.actor, row.kind, row.subject, json.loads(row.body)["data"]) == (
        "me",
        "made",
        "r/1",
        {"why": "because", "n": 3},
    )


def test_constraints_are_the_callers_to_explain(database: Database) -> None:
    with pytest.raises(ConstraintError), database.begin() as connection:
        connection.execute(insert(releases).values([RELEASE, RELEASE]))


def test_references_are_checked(database: Database) -> None:
    with pytest.raises(ConstraintError), database.begin() as connection:
        connection.execute(insert(channels).values(name="absent", channel="live", version=1, time_ms=1))


def test_write_ahead_log_is_on(database: Database, path: Path) -> None:
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_full_disk(small_disk: Callable[[], Path]) -> None:
    disk = small_disk()
    database = Database(sqlite_url(disk / "x.db"))
    with pytest.raises(StoreError, match="full"):
        for _ in range(1000):
            with database.begin() as connection:
                database.log(connection, "me", "made", "x" * 200, text="y" * 10_000)
    with database.begin() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"
    database.close()


def write_many(path: Path, times: int) -> None:
    database = Database(sqlite_url(path))
    for number in range(times):
        with database.begin() as connection:
            total = connection.execute(select(func.count()).select_from(log)).scalar_one()
            database.log(connection, "me", "counted", str(number), total=total)
    database.close()


def in_processes(*calls: tuple[Path, int]) -> None:
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=write_many, args=call) for call in calls]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * len(calls)


def test_two_processes_lose_nothing(path: Path) -> None:
    in_processes((path, 100), (path, 100))
    database = Database(sqlite_url(path))
    with database.begin() as connection:
        totals = [
            json.loads(body)["data"]["total"] for (body,) in connection.execute(select(log.c.body).order_by(log.c.seq))
        ]
    database.close()
    assert totals == list(range(200))


def test_many_processes_may_open_a_new_database_at_once(tmp_path: Path) -> None:
    for turn in range(6):
        in_processes(*[(tmp_path / f"{turn}.db", 1)] * 6)


@pytest.mark.parametrize("name", ["a?b=c", "100%", "a%20b", "a#b", "ä 中 文", "a&b"])
def test_any_folder_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    Database(sqlite_url(tmp_path / name / "x.db")).close()
    assert (tmp_path / name / "x.db").is_file()
    assert [p.name for p in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("url", ["nonsense", "postgresql://me:s3cret@host:port/x", "nosuch://me:s3cret@host/x", ""])
def test_wrong_url_is_explained_without_its_password(url: str) -> None:
    with pytest.raises(StoreError, match="not a database URL") as caught:
        Database(url)
    assert "s3cret" not in caught.value.message
