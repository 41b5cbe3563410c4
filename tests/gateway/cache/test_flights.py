"""Identical calls in flight: one upstream call, every caller read, billed and let go on its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import pytest

from luodi.engine import Message, Sampling
from luodi.gateway.cache.flight import Flight
from luodi.gateway.call import Call, Outcome, Piece, Reply
from luodi.gateway.upstream import UpstreamError
from luodi.testing.led import LedRoom

WORDS = ["one ", "two ", "three ", "four ", "five "]


def run(work: Callable[[], Awaitable[Any]]) -> Any:
    return asyncio.run(work())  # type: ignore[arg-type]


def test_two_callers_one_upstream_call(led: LedRoom) -> None:
    async def work() -> None:
        first = led.ask()
        await led.turn()
        led.model.say(*WORDS[:3])
        await led.turn()
        late = led.ask(person=1)
        await led.turn()
        assert first.text() == late.text() == "one two "  # the guard holds the last word back
        led.model.say(*WORDS[3:], "")
        for reader in (first, late):
            reply = await reader.wait()
            assert reply.done and reply.text() == "".join(WORDS)
        assert len(led.model.streams) == 1

    run(work)
    asked, joined = led.bodies()
    assert (asked["cached"], joined["cached"]) == ("", "joined")
    assert joined["route"]["record"] == asked["id"]
    assert (asked["cost"], joined["cost"]) == (10 * 1000 + 5 * 2000, 0)
    assert asked["completion_tokens"] == joined["completion_tokens"] == 5


def test_who_asked_first_leaves_and_the_other_reads_on(led: LedRoom) -> None:
    async def work() -> None:
        first, second = led.ask(), None
        await led.turn()
        second = led.ask(person=1)
        led.model.say(*WORDS[:2])
        await led.turn()
        await first.leave()
        assert led.model.ended == []
        led.model.say(*WORDS[2:], "")
        assert (await second.wait()).text() == "".join(WORDS)

    run(work)
    left, stayed = led.bodies()
    assert left["finish"] == "cancelled" and stayed["finish"] == "stop"
    assert left["cost"] == 10 * 1000 + 2 * 2000, "what was made until it left"
    assert left["cost"] + stayed["cost"] == 10 * 1000 + 5 * 2000, "and no more than the whole"
    assert left["completion_tokens"] == 2 and stayed["completion_tokens"] == 5


def test_the_last_to_leave_ends_the_upstream_call(led: LedRoom) -> None:
    async def work() -> None:
        readers = [led.ask(person=n) for n in range(3)]
        await led.turn()
        led.model.say(*WORDS[:2])
        await led.turn()
        for reader in readers[:2]:
            await reader.leave()
        assert led.model.ended == []
        began = asyncio.get_running_loop().time()
        await readers[2].leave()
        assert led.model.ended == ["cancelled"] and asyncio.get_running_loop().time() - began < 0.1

    run(work)
    assert sum(b["cost"] for b in led.bodies()) == 10 * 1000 + 2 * 2000


def test_a_failure_reaches_all(led: LedRoom) -> None:
    async def work() -> None:
        readers = [led.ask(person=n, stream=False) for n in range(2)]
        await led.turn()
        led.model.say("one ", UpstreamError("the model is gone", retry=False))
        for reader in readers:
            assert (await reader.wait()).status == 502
        again = led.ask(stream=False)
        await led.turn()
        led.model.say("well", "")
        assert (await again.wait()).text() == "well", "a failure is not kept"

    run(work)
    assert [b["finish"] for b in led.bodies()] == ["error", "error", "stop"]


def test_a_reader_that_stands_still_holds_nobody_up(led: LedRoom) -> None:
    async def work() -> None:
        made: list[int] = []

        async def count() -> AsyncGenerator[Piece, None]:
            for n in range(2000):
                made.append(n)
                yield Piece(f"{n} ")

        async def source() -> Reply:
            return Reply(count(), Outcome())

        ended: list[int] = []
        flight = Flight(source, lambda outcome, pieces: ended.append(len(pieces)), lambda: None)
        still, quick = (flight.join(a_call(led)) for _ in range(2))
        await led.turn()
        assert len(made) < 300, "nobody reads, so little is made"
        slow = still.listen()
        assert (await anext(slow)).text == "0 "
        assert [p.text async for p in quick.listen()] == [f"{n} " for n in range(2000)]
        assert ended == [2000]
        assert [p.text async for p in slow] == [f"{n} " for n in range(1, 2000)]

    run(work)


def a_call(led: LedRoom) -> Call:
    return led.house.gateway.call((Message("user", "x"),), Sampling(), surface="test", model="chat", task="chat")


@pytest.mark.parametrize(
    "other",
    [
        {"temperature": 0.5},
        {"max_tokens": 3},
        {"headers": [(b"cache-control", b"no-store")]},
        {"headers": [(b"cache-control", b"no-cache")]},
    ],
)
def test_what_is_not_the_same_is_asked_by_itself(led: LedRoom, other: dict[str, Any]) -> None:
    async def work() -> None:
        first = led.ask()
        await led.turn()
        second = led.ask(**other)
        await led.turn()
        assert len(led.model.streams) == 2
        for n in range(2):
            led.model.say("x", "", stream=n)
        for reader in (first, second):
            await reader.wait()

    run(work)
    assert [b["cached"] for b in led.bodies()] == ["", ""]


def test_nobody_outside_the_team_joins(led: LedRoom) -> None:
    stranger = led.house.gateway.keys.create("stranger")[1]
    led.keys.append(stranger)

    async def work() -> None:
        readers = [led.ask(), led.ask(person=3)]
        await led.turn()
        assert len(led.model.streams) == 2
        for n in range(2):
            led.model.say("x", "", stream=n)
        for reader in readers:
            await reader.wait()

    run(work)


def test_with_a_seed_a_warm_answer_is_shared(led: LedRoom) -> None:
    async def work() -> None:
        readers = [led.ask(temperature=0.9, seed=7, person=n) for n in range(2)]
        await led.turn()
        assert len(led.model.streams) == 1
        led.model.say("x", "")
        for reader in readers:
            await reader.wait()

    run(work)


def test_kept_answers_are_sealed_where_they_lie(led: LedRoom, tmp_path: Any) -> None:
    async def work() -> None:
        reader = led.ask("What is the zyzzyva's name?")
        await led.turn()
        led.model.say("Its name is Quomodocunquize.", "")
        await reader.wait()
        await led.house.gateway.writer.drain()
        again = led.ask("What is the zyzzyva's name?", person=1)
        assert (await again.wait()).headers["x-luodi-cache"] == "exact"

    run(work)
    led.house.gateway.answers.memory.clear()

    async def again() -> Any:
        return await led.ask("What is the zyzzyva's name?").wait()

    assert run(again).headers["x-luodi-cache"] == "exact"
    files = [p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()]
    assert files and not any(b"Quomodocunquize" in f or b"zyzzyva" in f for f in files)
