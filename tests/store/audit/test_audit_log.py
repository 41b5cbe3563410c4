"""Appending: rows, leaves, the tree's state, turns, and what a bad row does."""

from __future__ import annotations

import json
import threading
from hashlib import sha256

import pytest
from auditing import START_MS, ask, body_of, call_row, fill, kinds, rebuild_state, run

from luodi.errors import StoreError
from luodi.store import Store
from luodi.store.audit import LogRow, append, new_id, verify
from luodi.store.audit.tree import Frontier
from luodi.store.tx import tx_of


def test_a_row_its_leaf_and_the_state(store: Store) -> None:
    fill(store, 5)
    rows = ask(store, "SELECT seq, id, body, leaf FROM log ORDER BY seq")
    assert [r[0] for r in rows] == list(range(5))
    frontier = Frontier()
    for seq, id, body, leaf in rows:
        assert bytes(leaf) == sha256(b"\0" + body.encode()).digest()
        frontier.append(bytes(leaf))
        said = json.loads(body)
        assert (said["seq"], said["id"], said["kind"], said["outcome"]) == (seq, id, "call", "generated")
        assert "question" not in body
    size, packed = ask(store, "SELECT size, frontier FROM log_state")[0]
    assert (size, bytes(packed)) == (5, frontier.packed())


def test_places_are_returned(store: Store) -> None:
    with store.database.begin() as connection:
        tx = tx_of(connection)
        assert append(tx, []) == []
        assert append(tx, [call_row(0), call_row(1)]) == [0, 1]
        assert append(tx, [call_row(2)]) == [2]


def test_a_bad_row_changes_nothing_even_if_the_transaction_goes_on(store: Store) -> None:
    fill(store, 3)
    for bad in (
        call_row(3, score=0.5),
        call_row(3, actor="somebody else"),
        LogRow("", START_MS, "call", "k", "r"),
        LogRow("x" * 41, START_MS, "call", "k", "r"),
    ):
        with store.database.begin() as connection:
            with pytest.raises(StoreError) as caught:
                append(tx_of(connection), [call_row(9), bad])
            assert caught.value.hint
            append(tx_of(connection), [LogRow(new_id("evt"), START_MS, "test", "me", "x")])
    assert verify(store).ok and ask(store, "SELECT count(*) FROM log")[0][0] == 7


def test_a_transaction_that_fails_leaves_the_tree_as_it_was(store: Store) -> None:
    fill(store, 3)
    with pytest.raises(Exception, match=r"(?i)unique"), store.database.begin() as connection:
        append(tx_of(connection), [call_row(3), call_row(1)])  # an id that is there
    fill(store, 3, start=3)
    assert verify(store).ok


def test_what_a_column_can_not_hold_stands_in_the_body(store: Store) -> None:
    long = "s" * 500 + "\0"
    with store.database.begin() as connection:
        append(tx_of(connection), [LogRow("a", 1, "k" * 99, "me\0too", long, "o" * 30)])
    assert body_of(store, 0)["subject"] == long
    assert ask(store, "SELECT kind, actor, subject, outcome FROM log")[0] == ("k" * 60, "metoo", "s" * 200, "o" * 20)
    assert verify(store).ok
    run(store, "UPDATE log SET subject = ?", "s" * 199)
    assert kinds(verify(store)) == ["record.column"]


def test_writers_take_turns(store: Store) -> None:
    failures: list[BaseException] = []

    def write(worker: int) -> None:
        try:
            for n in range(8):
                with store.database.begin() as connection:
                    append(tx_of(connection), [call_row(worker * 100 + n * 3 + k) for k in range(3)])
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    before = ask(store, "SELECT size, frontier FROM log_state")
    rebuild_state(store)
    assert ask(store, "SELECT size, frontier FROM log_state") == before
    assert before[0][0] == 96


def test_a_log_without_its_state(store: Store) -> None:
    run(store, "DELETE FROM log_state")
    with pytest.raises(StoreError, match="state is missing"):
        fill(store, 1)
    assert kinds(verify(store)) == ["state.bad"]


def test_actions_are_in_the_same_log(store: Store) -> None:
    with store.database.begin() as connection:
        store.database.log(connection, "me", "key.made", "k1", owner="商店", kind_of="user", days=3)
    body = body_of(store, 0)
    assert body["data"] == {"owner": "商店", "kind_of": "user", "days": 3}
    assert body["id"].startswith("evt_") and len(body["id"]) == 28
    with pytest.raises(StoreError, match=r"data\.days is the float"), store.database.begin() as connection:
        store.database.log(connection, "me", "key.made", "k1", days=0.5)
    assert verify(store).ok
