"""Who waits, who goes first, and who is told to come again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from luodi.gateway import GatewayOptions
from luodi.gateway.problem import Problem
from luodi.gateway.steps.admit import Admission
from luodi.testing import AsgiReply, call
from luodi.testing.led import Led, LedRoom


@pytest.fixture
def room(open_house: Callable[..., Any]) -> LedRoom:
    house = open_house(run=GatewayOptions(in_flight=1, queued=3, exact_cache=False, high_teams=("desk",)))
    keys = [house.gateway.keys.create(f"p{n}", team=team)[1] for n, team in enumerate(("desk", "shop"))]
    made = LedRoom(house, Led(), keys)
    made.serve()
    return made


def test_the_urgent_first_then_in_order(room: LedRoom) -> None:
    async def work() -> list[str]:
        running = room.ask("running", 1)
        await room.turn()
        low = [(b"x-luodi-priority", b"low")]
        waiting = {"low": room.ask("low", 1, headers=low), "normal": room.ask("normal", 1), "high": room.ask("high", 0)}
        await room.turn()
        assert len(room.model.streams) == 1
        order: list[str] = []
        for name, reader in waiting.items():
            reader.task.add_done_callback(lambda _, name=name: order.append(name))
        for _ in range(4):
            room.model.say("")
            await room.turn()
        await asyncio.gather(running.wait(), *(r.wait() for r in waiting.values()))
        return order

    assert asyncio.run(work()) == ["high", "normal", "low"]


def test_more_than_can_wait_are_told_to_come_again(room: LedRoom) -> None:
    async def work() -> AsgiReply:
        readers = [room.ask(f"q{n}", 1) for n in range(4)]
        await room.turn()
        refused = await room.ask("one more", 1).wait()
        for _ in range(4):
            room.model.say("")
            await room.turn()
        assert [(await r.wait()).status for r in readers] == [200] * 4
        return refused

    refused = asyncio.run(work())
    assert (refused.status, refused.headers["retry-after"]) == (503, "1")
    assert refused.json()["error"]["code"] == "overloaded"


def test_who_leaves_the_queue_takes_no_place(room: LedRoom) -> None:
    async def work() -> None:
        running = room.ask("running", 1)
        await room.turn()
        gone, stays = room.ask("gone", 1), room.ask("stays", 1)
        await room.turn()
        await gone.leave()
        room.model.say("")
        await room.turn()
        room.model.say("")
        assert (await stays.wait()).status == 200 and (await running.wait()).status == 200
        assert room.house.gateway.admission.running == 0 and room.house.gateway.admission.waiting == 0

    asyncio.run(work())
    assert len(room.model.streams) == 2


def test_waiting_has_an_end() -> None:
    async def work() -> None:
        admission = Admission(1, 5, 0.02)
        await admission.enter(1)
        with pytest.raises(Problem, match="no place was free"):
            await admission.enter(1)
        admission.leave()
        await admission.enter(1)

    asyncio.run(work())


@pytest.mark.parametrize("said", ["high", "", "LOW", "0"])
def test_nobody_puts_themselves_first(room: LedRoom, said: str) -> None:
    sent = {"model": "chat", "messages": [{"role": "user", "content": "x"}]}
    headers = [(b"x-luodi-priority", said.encode())]
    reply = asyncio.run(
        call(room.house.app, "POST", "/v1/chat/completions", body=sent, key=room.keys[0], headers=headers)
    )
    assert reply.status == 400 and reply.json()["error"]["param"] == "x-luodi-priority"
