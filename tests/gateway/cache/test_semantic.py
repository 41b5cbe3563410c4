"""The semantic cache in the gateway: a near question is given the answer only if nothing tells them apart."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from luodi.engine.embed import Hashing
from luodi.gateway import GatewayOptions
from luodi.testing import FakeEngine, call

GOOD = "Set required=False on the field to make it optional. [1]"


class Near(Hashing):
    """All questions are near each other: what is told apart is told apart by the guard."""

    name = "near/1"

    def encode(self, texts: Sequence[str]) -> Any:
        out = np.full((len(texts), 4), 0.5, np.float32)
        return out


@pytest.fixture
def ask(open_house: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.setattr("luodi.engine.embed.open_embedder", Near)
    house = open_house(FakeEngine(GOOD), run=GatewayOptions(semantic_cache=True))

    async def one(question: str, key: str = "", **more: Any) -> dict[str, Any]:
        sent = {"model": "helpdesk", "messages": [{"role": "user", "content": question}], **more}
        reply = await call(house.app, "POST", "/v1/chat/completions", body=sent, key=key or house.key)
        return reply.json()["luodi"] | {"text": reply.text()}

    async def many(questions: Sequence[str], **more: Any) -> list[dict[str, Any]]:
        found = [await one(q, **more) for q in questions]
        await house.gateway.writer.drain()
        return found

    def ask(*questions: str, **more: Any) -> list[dict[str, Any]]:
        return asyncio.run(many(questions, **more))

    ask.house = house  # type: ignore[attr-defined]
    return ask


def test_a_paraphrase_is_given_the_answer(ask: Any) -> None:
    first, second, third = ask(
        "How do I make a form field optional?",
        "How can I make a form field optional?",
        "How do I make a field optional?",
    )
    assert [x["cached"] for x in (first, second)] == ["", "semantic"]
    assert second["text"] == first["text"] and second["cost_usd"] == 0 and first["cost_usd"] > 0
    assert third["cached"] == "", "the form is not spoken of"
    assert ask.house.rows()[1].route["similarity"] == 1_000_000, "in millionths"


@pytest.mark.parametrize(
    "other",
    ["How do I make a form field required?", "How do I not make a form field optional?", "Why do I make a form field optional?",
     "How do I make 2 form fields optional?", "How do I make a form field optional in Flask?"],
)  # fmt: skip
def test_what_is_told_apart_is_asked_anew(ask: Any, other: str) -> None:
    first, second = ask("How do I make a form field optional?", other)
    assert [x["cached"] for x in (first, second)] == ["", ""]


def test_nobody_is_given_another_teams_answer(ask: Any) -> None:
    ask("How do I make a form field optional?")
    stranger = ask.house.gateway.keys.create("stranger", team="other")[1]
    assert ask("How can I make a form field optional?", key=stranger)[0]["cached"] == ""


def test_no_store_and_no_cache(ask: Any) -> None:
    ask("How do I make a form field optional?")
    assert ask("How can I make a form field optional?", max_tokens=3)[0]["cached"] == "", "other parameters"


def test_an_embedder_that_fails_costs_nothing_but_the_hit(ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Any, texts: Sequence[str]) -> Any:
        raise RuntimeError("no memory")

    monkeypatch.setattr(Near, "encode", broken)
    found = ask("How do I make a form field optional?", "How can I make a form field optional?")
    assert [x["cached"] for x in found] == ["", ""] and all(x["text"] for x in found)


def test_what_another_worker_kept_is_found(ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ask("How do I make a form field optional?")
    ask.house.gateway.answers.clear()  # as a worker that has just started
    assert ask("How can I make a form field optional?")[0]["cached"] == "semantic"
