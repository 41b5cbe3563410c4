"""Whatever callers, models and kills do: what is in the ledger is what was delivered, once.

A kill is played on a copy of the store as it lies on the disk at that moment, slots and write-ahead log included: the
copy is what a gateway that starts again would find.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from luodi.gateway import ApiKeys, App, Gateway, GatewayOptions, open_release
from luodi.gateway.ledger.limits import PROJECT, set_limits
from luodi.gateway.ledger.workers import recover
from luodi.gateway.upstream import UpstreamError
from luodi.store import Store
from luodi.store.audit import verify
from luodi.store.tx import tx_of
from luodi.testing import FakeEngine, engine_kinds
from luodi.testing.led import PRICE, Led, LedRoom, Reader

BUDGET = 40_000_000  # nano-dollars a day for the team: a handful of calls at their worst case
WORST = 8_300_000  # a call's worst case, about
PROMPT = 10 * 1000  # nano-dollars of the prompt that the led model counts
TOKEN = 2000

verified: Any = None


class Money(RuleBasedStateMachine):
    """Two questions, so that calls are joined; three people of one team with a budget."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="money-"))
        self.runner = asyncio.Runner()
        self.store = Store(self.root / "store")
        with engine_kinds(fake=lambda folder, *, pick, threads: FakeEngine("x")):
            served = open_release(verified)
        self.gateway = Gateway(served, self.store, GatewayOptions(cache_minutes=1e-6))
        house = type("House", (), {"app": App(self.gateway), "gateway": self.gateway, "store": self.store})
        keys = ApiKeys(self.store)
        self.room = LedRoom(house, Led(), [keys.create(f"p{n}", team="shop")[1] for n in range(3)])
        self.room.serve()
        set_limits(self.store, "team:shop", {"day_nano_usd": BUDGET})
        self.readers: list[Reader] = []
        self.asked = 0

    def turn(self, seconds: float = 0.004) -> None:
        self.runner.run(self.room.turn(seconds))

    @rule(question=st.sampled_from(["one?", "two?"]), person=st.integers(0, 2), alone=st.booleans())
    def ask(self, question: str, person: int, alone: bool) -> None:
        async def work() -> None:
            headers = [(b"cache-control", b"no-store")] if alone else []
            self.readers.append(self.room.ask(question, person, max_tokens=4000, headers=headers))
            await self.room.turn(0.004)

        self.asked += 1
        self.runner.run(work())

    def running(self) -> set[int]:
        return {n for n, q in enumerate(self.room.model.streams) if not getattr(q, "over", False)}

    # What is drawn must not depend on what the clock did, so a stream is chosen by a number and not out of a list.
    @rule(n=st.integers(0, 99), words=st.integers(1, 4))
    def say(self, n: int, words: int) -> None:
        if running := sorted(self.running()):
            self.room.model.say(*["word "] * words, stream=running[n % len(running)])
            self.turn()

    @rule(n=st.integers(0, 99), dies=st.booleans())
    def end(self, n: int, dies: bool) -> None:
        if running := sorted(self.running()):
            stream = running[n % len(running)]
            self.room.model.say(UpstreamError("gone", retry=False) if dies else "", stream=stream)
            self.room.model.streams[stream].over = True  # type: ignore[attr-defined]
            self.turn()

    @rule(n=st.integers(0, 99))
    def leave(self, n: int) -> None:
        if waiting := [r for r in self.readers if not r.task.done()]:
            self.runner.run(waiting[n % len(waiting)].leave())
            self.turn()

    @rule()
    def kill(self) -> None:
        """What would be found after `kill -9` just now."""
        copy = Path(tempfile.mkdtemp(prefix="killed-"))
        shutil.copytree(self.root / "store", copy / "store")
        store = Store(copy / "store")
        with store.database.begin() as c:
            tx = tx_of(c)
            for id_, slots in tx.all("SELECT id, slots FROM workers"):
                there = str(slots).replace(str(self.root), str(copy))
                tx.run("UPDATE workers SET pid=-1, slots=? WHERE id=?", (there, id_))
        recover(store)
        assert recover(store) == [], "nothing is settled twice"
        self.check(store, whole=False)
        store.database.close()
        shutil.rmtree(copy)

    @invariant()
    def nothing_is_negative(self) -> None:
        with self.store.database.begin() as c:
            tx = tx_of(c)
            held, calls = tx.all("SELECT COALESCE(MIN(nano_usd), 0), COALESCE(MIN(calls), 0) FROM holds")[0]
            assert held >= 0 and calls >= 0
            for scope, day in tx.all("SELECT scope, day_nano_usd FROM meters"):
                assert day >= 0
                if scope == "team:shop":
                    holding = tx.all("SELECT COALESCE(SUM(nano_usd), 0) FROM holds WHERE scope=?", (scope,))[0][0]
                    assert day + holding <= BUDGET, "the budget is never passed, in the worst case either"

    def check(self, store: Store, *, whole: bool) -> None:
        with store.database.begin() as c:
            tx = tx_of(c)
            rows = tx.all("SELECT id, cost_nano_usd, body FROM log WHERE kind='call' ORDER BY seq")
            meters = {r[0]: r[1:] for r in tx.all("SELECT scope, nano_usd, day_nano_usd, calls FROM meters")}
            assert tx.all("SELECT COALESCE(SUM(nano_usd), 0), COALESCE(SUM(calls), 0) FROM holds")[0] == (0, 0)
        bodies = {r[0]: json.loads(r[2]) for r in rows}
        assert max(Counter(r[0] for r in rows).values(), default=1) == 1
        total = sum(r[1] for r in rows)
        for scope in (PROJECT, "team:shop"):
            if scope in meters:
                assert meters[scope][0] == meters[scope][1] == total
        if PROJECT in meters:
            let_in = [b for b in bodies.values() if not b["error"].startswith("this team has less than")]
            assert meters[PROJECT][2] == len(let_in)
        made = self.room.model.made
        assert total <= sum(PROMPT + n * TOKEN for n in made), "nobody pays for what was not made"
        for reader in self.readers:
            shown = reader.text().split()
            id_ = reader.id()
            if not id_ or not shown:
                continue
            assert id_ in bodies, "whoever was shown a piece has a row"
            assert bodies[id_]["completion_tokens"] >= len(shown), "what was delivered is counted"
        if whole:
            assert len(rows) == self.asked
            assert total == sum(PROMPT + n * TOKEN for n in made), "and what was made is paid, once"
        # The bundle's release is registered in another store than this.
        assert {p.kind for p in verify(store).problems} <= {"release.unknown"}

    def teardown(self) -> None:
        async def end() -> None:
            for _ in range(500):  # a call may come to its model only now
                for number in sorted(self.running()):
                    self.room.model.say("", stream=number)
                    self.room.model.streams[number].over = True  # type: ignore[attr-defined]
                if all(r.task.done() for r in self.readers):
                    break
                await asyncio.sleep(0.01)
            await self.gateway.writer.drain()

        self.runner.run(end())
        assert all(r.task.done() for r in self.readers)
        self.check(self.store, whole=True)
        self.runner.run(self.gateway.stop())
        self.runner.close()
        self.gateway.close()
        self.store.database.close()
        shutil.rmtree(self.root)


def machine(bundles: Any, examples: int, steps: int) -> None:
    global verified
    verified = bundles()
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Money,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],
            database=None,
            derandomize=True,  # what happens between two steps is up to the clock
        ),
    )


def test_the_ledger_is_what_was_delivered(bundles: Any) -> None:
    machine(bundles, 8, 12)


@pytest.mark.slow
def test_the_ledger_is_what_was_delivered_many_times(bundles: Any) -> None:
    machine(bundles, 120, 30)


def test_the_prices_of_this_file_are_the_models() -> None:
    assert PRICE.tokens_nano(10, 0) == PROMPT and PRICE.tokens_nano(0, 1) == TOKEN
