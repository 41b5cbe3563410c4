"""A budget that is reached is told of once."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from luodi.gateway.events import emit
from luodi.gateway.ledger import Settlement, settle
from luodi.gateway.ledger.limits import set_limits
from luodi.gateway.webhooks import purge, reached
from luodi.store import Store
from luodi.store.audit import LogRow, new_id
from luodi.store.database import now_ms
from luodi.store.tx import tx_of


def charge(store: Store, nano: int, now: int = 0, *scopes: str) -> None:
    now = now or now_ms()
    row = LogRow(new_id("rec"), now, "call", "k", "helpdesk@1", "generated", nano, {})
    with store.database.begin() as connection:
        settle(tx_of(connection), [Settlement("w", scopes or ("key:k", "project"), (), 0, 0, 1, nano, now, row)])


def told(store: Store) -> list[dict[str, Any]]:
    with store.database.begin() as connection:
        rows = tx_of(connection).all("SELECT body FROM deliveries WHERE kind = 'budget.reached' ORDER BY seq")
    return [json.loads(row[0])["data"] for row in rows]


def test_both_thresholds_of_both_periods(store: Store) -> None:
    set_limits(store, "key:k", {"day_nano_usd": 1000, "month_nano_usd": 2000})
    charge(store, 799)
    assert reached(store) == []
    charge(store, 1)
    assert len(reached(store)) == 1 and reached(store) == []
    charge(store, 800)  # 1600: all of the day's, 80 % of the month's
    assert len(reached(store)) == 2
    charge(store, 400)
    assert len(reached(store)) == 1 and reached(store) == []
    assert next((t["period"], t["percent"]) for t in told(store)) == ("day", 80)
    assert {(t["scope"], t["period"], t["percent"], t["limit_nano_usd"]) for t in told(store)} == {
        ("key:k", "day", 80, 1000), ("key:k", "day", 100, 1000), ("key:k", "month", 80, 2000),
        ("key:k", "month", 100, 2000),
    }  # fmt: skip


def test_once_with_many_workers_that_settle_and_look(store: Store) -> None:
    set_limits(store, "project", {"day_nano_usd": 1000})
    set_limits(store, "key:k", {"month_nano_usd": 1000})
    failed: list[BaseException] = []

    def work() -> None:
        try:
            memory: set[str] = set()
            for _ in range(15):
                charge(store, 20)
                reached(store, memory)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert sorted((t["scope"], t["percent"]) for t in told(store)) == [
        ("key:k", 80), ("key:k", 100), ("project", 80), ("project", 100),
    ]  # fmt: skip


def test_once_on_postgresql(tmp_path: Path, postgres_url: str) -> None:
    store = Store(tmp_path / "pg", postgres_url)
    set_limits(store, "project", {"day_nano_usd": 1000})
    charge(store, 1000)
    threads = [threading.Thread(target=reached, args=(store,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(t["percent"] for t in told(store)) == [80, 100]
    store.database.close()


def test_a_limit_that_is_changed_is_another_budget(store: Store) -> None:
    set_limits(store, "key:k", {"day_nano_usd": 1000})
    charge(store, 1000)
    assert len(reached(store)) == 2
    set_limits(store, "key:k", {"day_nano_usd": 10_000})
    assert reached(store) == []
    set_limits(store, "key:k", {"day_nano_usd": 500})  # already over
    assert len(reached(store)) == 2 and {t["limit_nano_usd"] for t in told(store)} == {1000, 500}


def test_no_limit_and_a_limit_of_nothing_are_not_told_of(store: Store) -> None:
    charge(store, 10**9)
    set_limits(store, "key:k", {"day_nano_usd": 0, "requests_minute": 3})
    assert reached(store) == []


def test_a_month_that_is_over_is_not_told_of(store: Store) -> None:
    charge(store, 1000, now_ms() - 70 * 86_400_000)
    set_limits(store, "key:k", {"day_nano_usd": 1, "month_nano_usd": 1})
    assert reached(store) == []


def test_what_was_told_of_a_month_is_remembered_until_it_is_over(store: Store) -> None:
    set_limits(store, "key:k", {"month_nano_usd": 1000})
    charge(store, 850)
    assert len(reached(store)) == 1
    with store.database.begin() as connection:
        emit(connection, "ping", {})
        tx_of(connection).run("UPDATE deliveries SET done_ms = time_ms - ?", (20 * 86_400_000,))
    assert purge(store) == 1  # the ping
    assert reached(store) == []


def test_a_call_that_reaches_its_budget_is_told_of(
    open_house: Any, hook: Any, send: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from asking import ask
    from receiver import Receiver

    from luodi.gateway.webhooks import sender

    monkeypatch.setattr(sender, "BUDGETS_S", 0.0)
    house = open_house()
    set_limits(house.store, f"key:{house.key_id}", {"day_nano_usd": 10**12})
    assert asyncio.run(ask(house, "How do I make a form field optional?")).status == 200
    with house.store.database.begin() as connection:
        ((used,),) = tx_of(connection).all("SELECT day_nano_usd FROM meters WHERE scope = ?", (f"key:{house.key_id}",))
    set_limits(house.store, f"key:{house.key_id}", {"day_nano_usd": used})
    with Receiver() as receiver:
        send(house.store, hook(receiver.url), until=lambda found: sum(bool(d.done_ms) for d in found) == 2)
        assert {(g.event["data"]["scope"], g.event["data"]["percent"]) for g in receiver.got} == {
            (f"key:{house.key_id}", 80), (f"key:{house.key_id}", 100),
        }  # fmt: skip
