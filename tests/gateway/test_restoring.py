"""Pseudonyms in the gateway: placeholders inside, values for the caller alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, cast

import pytest

from luodi.engine import Sampling
from luodi.gateway.call import Call, Outcome, Piece, Reply
from luodi.gateway.keys import Principal
from luodi.gateway.problem import Problem
from luodi.gateway.pseudonyms import Pseudonyms, conversation, owner_of
from luodi.gateway.steps.restore import Restore
from luodi.guard.item import PersonalItem
from luodi.guard.vault import Vault
from luodi.store import Store
from luodi.store.group import GroupWriter

PHONE = PersonalItem("phone", 0, 11, "13800138000", 1.0)


def a_call(team: str = "", key: str = "k1", name: str = "") -> Call:
    principal = Principal.of(key, "me", "user", team, ())
    return Call("rec_1", "chat", "m", (), Sampling(), principal=principal, conversation=name)


def through(vault: Vault | None, pieces: list[Piece]) -> list[Piece]:
    call = a_call()
    call.vault = vault

    async def inner() -> AsyncGenerator[Piece, None]:
        for piece in pieces:
            yield piece

    async def following(call: Call) -> Reply:
        return Reply(inner(), Outcome())

    async def run() -> list[Piece]:
        reply = await Restore(cast(Any, None))(call, following)
        return [piece async for piece in reply.pieces]

    return asyncio.run(run())


def test_each_choice_and_each_tool_call_is_restored_for_itself() -> None:
    vault = Vault()
    name = vault.hide(PHONE)
    first, second = name[:5], name[5:]
    out = through(
        vault,
        [
            Piece(f"call {first}", 0),
            Piece(f"ring {first}", 1),
            Piece(f"{second} now", 0),
            Piece("", 0, {"index": 0, "id": "t", "name": "dial", "arguments": f'{{"n": "{first}'}),
            Piece(second, 1),
            Piece("", 0, {"index": 0, "id": "", "name": "", "arguments": f'{second}"}}'}),
            Piece("", 0, finish="stop"),
            Piece("", 1, finish="stop"),
        ],
    )
    said = {index: "".join(p.text for p in out if p.index == index) for index in (0, 1)}
    assert said == {0: "call 13800138000 now", 1: "ring 13800138000"}
    arguments = "".join(str(p.tool["arguments"]) for p in out if p.tool is not None)
    assert arguments == '{"n": "13800138000"}'
    assert [p.index for p in out if p.finish] == [0, 1]


def test_a_reply_that_never_says_where_it_ends_loses_nothing() -> None:
    vault = Vault()
    name = vault.hide(PHONE)
    assert "".join(p.text for p in through(vault, [Piece(f"call {name[:-2]}")])) == f"call {name[:-2]}"


def test_without_a_vault_nothing_is_touched() -> None:
    pieces = [Piece("[PHONE_BCDFGHJK]"), Piece(finish="stop")]
    assert through(None, pieces) is not pieces and through(Vault(), pieces)[0].text == "[PHONE_BCDFGHJK]"


def test_who_leaves_closes_what_is_inside() -> None:
    closed = []

    async def inner() -> AsyncGenerator[Piece, None]:
        try:
            yield Piece("a")
        finally:
            closed.append(True)

    async def following(call: Call) -> Reply:
        pieces = inner()
        await anext(pieces)
        return Reply(pieces, Outcome())

    async def run() -> None:
        call = a_call()
        call.vault = Vault()
        call.vault.hide(PHONE)
        reply = await Restore(cast(Any, None))(call, following)
        await reply.pieces.aclose()

    asyncio.run(run())
    assert closed == [True]


def test_a_conversation_lasts_for_its_owner_and_for_nobody_else(tmp_path: Any) -> None:
    from luodi.gateway.pseudonyms import keep_rows

    store = Store(tmp_path / "store")

    async def run() -> None:
        writer = GroupWriter(store.database, {"vault": keep_rows}, durable=frozenset())
        pseudonyms = Pseudonyms(store, writer, keep_s=60)
        first = a_call("red", "k1", "c")
        first.vault = await pseudonyms.open(first)
        name = first.vault.hide(PHONE)
        pseudonyms.keep(first)
        await writer.drain()
        ours = a_call("red", "k2", "c")
        assert (await pseudonyms.open(ours)).value(name) == PHONE.text, "the team goes on with another key"
        for other in (a_call("blue", "k1", "c"), a_call("", "k1", "c"), a_call("red", "k1", "d"), a_call("red", "k1")):
            assert (await pseudonyms.open(other)).value(name) is None
        again = await pseudonyms.open(ours)
        assert again.hide(PHONE) == name and not again.fresh
        writer.close()

    asyncio.run(run())
    store.database.close()


def test_a_call_without_a_conversation_keeps_nothing(tmp_path: Any) -> None:
    store = Store(tmp_path / "store")

    async def run() -> None:
        pseudonyms = Pseudonyms(store, cast(Any, None), keep_s=60)
        call = a_call()
        call.vault = await pseudonyms.open(call)
        call.vault.hide(PHONE)
        pseudonyms.keep(call)

    asyncio.run(run())
    assert owner_of(a_call("t")) == "team:t" and owner_of(a_call()) == "key:k1"


@pytest.mark.parametrize("name", ["", "x" * 201, "a\nb"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(Problem, match="x-luodi-conversation"):
        conversation(name)
