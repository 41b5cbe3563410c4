"""Which upstream answers: by order, cost, latency, load, difficulty, privacy and health; and what is recorded of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from luodi.evaluate.routing import FEATURES, Router
from luodi.gateway import GatewayOptions
from luodi.gateway.call import Outcome, Piece
from luodi.gateway.ledger.prices import MachineClock, Price
from luodi.gateway.problem import Problem
from luodi.gateway.upstream import Order, Pool, UpstreamError
from luodi.gateway.upstream.base import bytes_bound
from luodi.gateway.upstream.policy import POLICIES, ByDifficulty
from luodi.testing import call

CHEAP, DEAR = Price(1_000, 2_000, source="project"), Price(9_000, 30_000, source="project")


@dataclass
class Model:
    """Says its own name. `fails` many times first; `wait` seconds before the first piece."""

    name: str
    own: bool = True
    price: Price = CHEAP
    wait: float = 0.0
    fails: int = 0
    after_first: bool = False
    asked: int = 0
    takes: frozenset[str] = field(default_factory=frozenset)
    model: str = "m"
    context: int = 8192
    clock: MachineClock | None = None

    async def generate(self, order: Order, outcome: Outcome) -> AsyncGenerator[Piece, None]:
        self.asked += 1
        await asyncio.sleep(self.wait)
        if self.fails and not self.after_first:
            self.fails -= 1
            raise UpstreamError(f"{self.name} is down")
        outcome.prompt_tokens, outcome.completion_tokens, outcome.finish = 5, 1, "stop"
        yield Piece(self.name)
        if self.fails:
            raise UpstreamError(f"{self.name} broke off")
        yield Piece(finish="stop")

    async def embed(self, texts: tuple[str, ...], outcome: Outcome) -> list[list[float]]:
        raise AssertionError

    def bound(self, messages: Any) -> int:
        return bytes_bound(messages)

    async def close(self) -> None:
        pass


@pytest.fixture
def ask(open_house: Callable[..., Any]) -> Callable[..., Any]:
    """A function that asks a pool, with a policy, as many times as wanted; gives what answered and the records."""
    house = open_house(run=GatewayOptions(exact_cache=False, unknown_price="flag"))

    def ask(
        models: list[Model],
        policy: str = "order",
        *,
        times: int = 1,
        text: str = "Hello",
        at_once: bool = False,
        **pool: Any,
    ) -> tuple[list[Any], list[dict[str, Any]]]:
        house.gateway.served.pools["chat"] = Pool("chat", models, POLICIES[policy], **pool)
        before = len(house.rows())

        async def one() -> Any:
            sent = {"model": "chat", "messages": [{"role": "user", "content": text}], "max_tokens": 100}
            reply = await call(house.app, "POST", "/v1/chat/completions", body=sent, key=house.key)
            return reply.text() if reply.status == 200 else (reply.status, reply.json()["error"]["code"])

        async def all_() -> list[Any]:
            if at_once:
                return await asyncio.gather(*(one() for _ in range(times)))
            return [await one() for _ in range(times)]

        said = asyncio.run(all_())
        return said, [row.route for row in house.rows()[before:]]

    return ask


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("luodi.gateway.upstream.pool._PAUSE_S", 0.001)
    monkeypatch.setattr("luodi.gateway.upstream.policy._EXPLORE", 0.0)


def test_the_first_in_order(ask: Any) -> None:
    said, routes = ask([Model("a"), Model("b")])
    assert said == ["a"] and (routes[0]["upstream"], routes[0]["reason"]) == ("a", "first in order")


def test_the_cheapest_with_what_it_saves(ask: Any) -> None:
    said, routes = ask([Model("dear", price=DEAR), Model("odd", price=Price()), Model("cheap")], "cost")
    assert said == ["cheap"] and routes[0]["reason"] == "cheapest"
    tokens = len("Hello") // 3 + 8
    assert routes[0]["estimated_nano_usd"] == (tokens * 1_000 + 50 * 2_000 + 500) // 1000
    assert routes[0]["saved_nano_usd"] == (tokens * 9_000 + 50 * 30_000 + 500) // 1000 - routes[0]["estimated_nano_usd"]


def test_the_quickest(ask: Any) -> None:
    said, _ = ask([Model("slow", wait=0.03), Model("quick")], "latency", times=6)
    assert sorted(said[:2]) == ["quick", "slow"], "each is tried once"
    assert said[2:] == ["quick"] * 4


def test_the_least_busy(ask: Any) -> None:
    models = [Model("a", wait=0.05), Model("b", wait=0.05)]
    said, _ = ask(models, "load", times=8, at_once=True)
    assert sorted(said) == ["a"] * 4 + ["b"] * 4


def test_another_is_tried_before_the_first_piece(ask: Any) -> None:
    models = [Model("down", fails=9), Model("up")]
    said, routes = ask(models)
    assert said == ["up"] and models[0].asked == 2, "one upstream is tried twice"
    assert [t["upstream"] for t in routes[0]["tried"]] == ["down", "down"]


def test_none_is_tried_after_the_first_piece(ask: Any) -> None:
    models = [Model("half", fails=1, after_first=True), Model("up")]
    said, _ = ask(models)
    assert said == [(502, "engine_error")] and models[1].asked == 0


def test_one_that_fails_again_and_again_is_left_alone(ask: Any) -> None:
    models = [Model("down", fails=99), Model("up")]
    said, _ = ask(models, times=8)
    assert said == ["up"] * 8 and models[0].asked < 8, "the breaker has opened"
    assert ask([Model("down", fails=99)], times=4)[0][-1] == (503, "no_upstream")


def test_personal_data_stays_on_own_machines(ask: Any) -> None:
    models = [Model("cloud", own=False, price=DEAR), Model("own")]
    assert ask(models, text="Hello")[0] == ["cloud"]
    assert ask(models, text="My e-mail is jane.doe@acme-bank.de, please write")[0] == ["own"]
    assert ask(models[:1], text="My e-mail is jane.doe@acme-bank.de, please write")[0] == [(403, "own_engines_only")]
    assert ask(models, own_only=True)[0] == ["own"]


def test_easy_questions_go_to_the_small_model(open_house: Callable[..., Any]) -> None:
    house = open_house(run=GatewayOptions(exact_cache=False))
    small, large = Model("x/small"), Model("x/large", price=DEAR)
    weights = [0.0] * len(FEATURES)
    weights[FEATURES.index("asks_why")] = 1.0  # of this toy, why is hard
    n = len(FEATURES)
    router = Router((0.0,) * n, (1.0,) * n, tuple(weights), 0.0, 0.5, 1e-6, 4e-6)
    house.gateway.served.pool = Pool("answers", [small, large], ByDifficulty(router))

    async def ask(question: str) -> None:
        sent = {"model": "helpdesk", "messages": [{"role": "user", "content": question}]}
        await call(house.app, "POST", "/v1/chat/completions", body=sent, key=house.key)

    for question in ("How do I make a form field optional?", "Why is a field required by default?"):
        asyncio.run(ask(question))
    routes = [row.route for row in house.rows()]
    assert [(r["upstream"], r["reason"]) for r in routes] == [("x/small", "easy"), ("x/large", "hard")]
    assert [(r["estimated_nano_usd"], r["saved_nano_usd"]) for r in routes] == [(1000, 3000), (4000, 0)]
    small.fails = 99
    asyncio.run(ask("How do I make a form field optional?"))
    last = house.rows()[-1].route
    assert (last["upstream"], last["reason"]) == ("x/large", "the other model is not well")


def test_a_pool_says_why_nobody_may_answer() -> None:
    pool = Pool("p", [Model("cloud", own=False)], own_only=True)
    with pytest.raises(Problem, match="may not leave our machines"):
        pool.able(type("C", (), {"personal": False})(), frozenset())
