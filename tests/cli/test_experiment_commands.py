"""`luodi experiment` on real releases of a store."""

from __future__ import annotations

from typing import Any

import pytest

from luodi.gateway.experiment import Count, add, find
from luodi.release import Registry
from luodi.store import Store
from luodi.store.tx import tx_of
from luodi.testing import tiny_release


@pytest.fixture
def two(store: Store) -> Store:
    for passages in (1, 2):
        tiny_release(store, passages=passages)
    registry = Registry(store)
    registry.move(registry.find("helpdesk@1"), "live", "test")
    return store


def test_a_canary_from_start_to_end(run: Any, two: Store) -> None:
    assert run("experiment", "ls", "--json").out == ""
    begun = run("experiment", "canary", "helpdesk@2", "--steps", "10,50", "--calls", "50", "--json").lines()[0]
    assert (begun["kind"], begun["base"], begun["steps"]) == ("canary", "helpdesk@1", [0.1, 0.5])
    with two.database.begin() as c:
        for arm, bad in (("helpdesk@1", 0.0), ("helpdesk@2", 1.0)):
            add(tx_of(c), [Count(begun["id"], arm, 0, {"error": bad, "latency": 5.0})] * 30)
    shown = run("experiment", "show", begun["id"])
    assert "error" in shown.out and "worse" in shown.out and "100.00 %" in shown.out
    found = run("experiment", "show", begun["id"], "--json").lines()[0]
    assert [f["worse"] for f in found["findings"] if f["measure"] == "error"] == [True]
    assert [f["low"] for f in found["findings"] if f["measure"] == "latency"] == [None], "30 calls say nothing of it"
    assert "helpdesk@2 10 % (1/2)" in run("experiment", "ls").out
    assert run("experiment", "stop", begun["id"]).code == 0
    assert find(two, begun["id"]).state == "stopped" and run("experiment", "stop", begun["id"]).code == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["canary", "helpdesk@2", "--steps", "a,b"],
        ["canary", "helpdesk@9"],
        ["canary", "helpdesk@2", "--alpha", "2"],
        ["ab", "helpdesk@2"],
        ["ab", "helpdesk@2=0"],
        ["ab", "helpdesk@2=120"],
        ["shadow", "helpdesk@1"],
        ["show", "exp_nothing"],
    ],
)
def test_mistakes_are_told(run: Any, two: Store, arguments: list[str]) -> None:
    done = run("experiment", *arguments)
    assert done.code == 2 and done.err and "Traceback" not in done.err
    assert run("experiment", "ls", "--json").out == ""


def test_ab_and_shadow(run: Any, two: Store) -> None:
    assert run("experiment", "ab", "helpdesk@2=20").code == 0
    assert run("experiment", "shadow", "helpdesk@2", "--share", "10").code == 0
    assert [p["kind"] for p in run("experiment", "ls", "--json").lines()] == ["shadow", "ab"]
    assert run("experiment", "ab", "helpdesk@2=30").code == 2, "one splits the callers already"
