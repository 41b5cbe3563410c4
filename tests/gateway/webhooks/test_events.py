"""Events are written with what they tell of, or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from luodi.errors import LuodiError
from luodi.gateway import ApiKeys
from luodi.gateway.events import KINDS, emit
from luodi.store import Store
from luodi.store.database import Database
from luodi.store.tx import tx_of


def rows(database: Database) -> list[Any]:
    with database.begin() as connection:
        return tx_of(connection).all("SELECT id, kind, hook, body, attempts, done_ms FROM deliveries ORDER BY seq")


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, store: Store) -> Database:
    if request.param == "sqlite":
        return store.database
    made = Database(request.getfixturevalue("postgres_url"))
    request.addfinalizer(made.close)
    return made


def test_a_row_is_written_in_the_callers_transaction(database: Database) -> None:
    with database.begin() as connection:
        first = emit(connection, "release.rolled_back", {"release": "helpdesk@2", "reason": "错误率"})
        second = emit(tx_of(connection), "ping", {})
    (a, b) = rows(database)
    assert (a[0], a[1], a[2], a[4], a[5]) == (first, "release.rolled_back", "", 0, None) and b[0] == second
    body = json.loads(a[3])
    assert body["type"] == "release.rolled_back" and body["data"] == {"release": "helpdesk@2", "reason": "错误率"}
    assert body["timestamp"].endswith("Z")


def test_nothing_is_told_of_what_was_rolled_back(database: Database) -> None:
    with pytest.raises(RuntimeError), database.begin() as connection:
        emit(connection, "ping", {})
        raise RuntimeError
    assert rows(database) == []


@pytest.mark.parametrize(
    ("kind", "data", "says"),
    [("sun.rose", {}, "no event"), ("ping", {"x": "y" * 30_000}, "bytes"), ("ping", {"x": object()}, "can't be sent"),
     ("ping", {"x": float("nan")}, "can't be sent")],
)  # fmt: skip
def test_what_can_not_be_told(store: Store, kind: str, data: dict[str, Any], says: str) -> None:
    with store.database.begin() as connection:
        with pytest.raises(LuodiError, match=says):
            emit(connection, kind, data)
        emit(connection, "ping", {})  # the transaction is still good
    assert len(rows(store.database)) == 1


def test_the_kinds_are_those_of_the_project_file() -> None:
    from luodi.project.model import WebhookSpec

    schema = WebhookSpec.model_json_schema()["properties"]["events"]["items"]["enum"]
    assert set(schema) == set(KINDS) - {"ping"}


def test_a_key_that_is_revoked_is_told_of(store: Store, hook: Callable[..., Any]) -> None:
    keys = ApiKeys(store)
    key_id, _ = keys.create("shop")
    keys.revoke(key_id)
    keys.revoke(keys.create("luodi serve")[0], tell=False)
    ((_, kind, _, body, *_),) = rows(store.database)
    assert kind == "key.revoked" and json.loads(body)["data"] == {"key": key_id}
