"""Callers that go away, engines that fail, records that can't be written."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable
from typing import Any

import pytest
from asking import ask

from luodi.engine import Delta
from luodi.testing import AsgiReply, FakeEngine

Q = "How do I make a form field optional?"
TEXT = "Set required=False on the field to make it optional. " + "A field is required by default. " * 200


def last(house: Any) -> Any:
    house.gateway.writer.close()  # everything that was put is then written
    return house.rows()[-1]


@pytest.mark.parametrize("stream", [True, False])
def test_a_caller_that_leaves_cancels_the_engine(open_house: Callable[..., Any], stream: bool) -> None:
    house = open_house(FakeEngine(TEXT, delay=0.002), max_answer_tokens=4000)
    left: list[float] = []

    async def go() -> AsgiReply:
        gone = asyncio.Event()

        def leave(reply: AsgiReply) -> bool:
            if not left and reply.text():
                left.append(time.monotonic())
            return bool(left)

        asked = asyncio.ensure_future(ask(house, Q, stream=stream, leave=leave if stream else None, gone=gone))
        while not house.engine.requests:
            await asyncio.sleep(0.001)
        if not stream:
            left.append(time.monotonic())
            gone.set()
        return await asked

    reply = asyncio.run(go())
    while not house.engine.cancelled and time.monotonic() - left[0] < 5:
        time.sleep(0.001)
    assert len(house.engine.cancelled) == 1, "the engine was not told"
    assert house.engine.cancelled[0] - left[0] < 0.2
    assert not reply.done
    row = last(house)
    assert (row.outcome, json.loads(row.data)["finish"]) == ("cancelled", "cancelled")
    assert 0 < row.completion_tokens < 1000 or not stream


def test_a_caller_that_left_before_the_first_piece_has_a_record(open_house: Callable[..., Any]) -> None:
    house = open_house(FakeEngine(TEXT, delay=0.002))
    asyncio.run(ask(house, Q, stream=True, blocked=True))
    assert last(house).outcome == "cancelled"


def test_the_next_call_is_answered_after_many_left(open_house: Callable[..., Any]) -> None:
    house = open_house(FakeEngine("Set required=False on the field to make it optional. [1]"))

    async def go() -> AsgiReply:
        for n in range(30):  # at every point of the way
            asked = asyncio.ensure_future(ask(house, Q, stream=True, temperature=0.5))
            for _ in range(n):
                await asyncio.sleep(0.0005)
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)
        return await asyncio.wait_for(ask(house, Q, stream=True), 10)

    assert asyncio.run(go()).done
    assert last(house).outcome == "generated"


@pytest.mark.parametrize("after", [0, 3, 14])
def test_an_engine_that_fails(open_house: Callable[..., Any], after: int) -> None:
    """Before anything is shown the failure has a status of its own, after that it is an event of the stream."""
    house = open_house(FakeEngine(TEXT, fail_after=after))
    streamed = asyncio.run(ask(house, Q, stream=True))
    assert (streamed.status == 200) is (after == 14) and not streamed.done
    error = (streamed.events()[-1] if after == 14 else streamed.json())["error"]
    assert (error["type"], error["code"]) == ("upstream_error", "engine_error") and "as it was told" in error["message"]
    whole = asyncio.run(ask(house, Q))
    assert whole.status == 502 and whole.json()["error"]["code"] == "engine_error"
    rows = house.rows()
    assert [r.outcome for r in rows] == ["error", "error"]
    assert "as it was told" in rows[0].error and rows[0].completion_tokens == after


def test_an_engine_that_raises(open_house: Callable[..., Any], caplog: pytest.LogCaptureFixture) -> None:
    class Raising(FakeEngine):
        def submit(self, request: Any, emit: Callable[[Delta], None]) -> Any:
            raise RuntimeError("no engine")

    house = open_house(Raising(TEXT))
    with caplog.at_level(logging.ERROR, "luodi.gateway"):
        streamed = asyncio.run(ask(house, Q, stream=True))
        assert streamed.events()[-1]["error"]["code"] == "internal_error" and not streamed.done
        assert asyncio.run(ask(house, Q)).status == 500
    assert [(r.outcome, "no engine" in r.data) for r in house.rows()] == [("error", True)] * 2


def test_a_call_that_can_not_be_recorded_is_not_answered(
    house: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with house.store.database.begin() as connection:
        connection.exec_driver_sql("DROP TABLE log")
    with caplog.at_level(logging.ERROR, "luodi.gateway"):
        whole = asyncio.run(ask(house, Q))
        streamed = asyncio.run(ask(house, Q, stream=True))
    assert whole.status == 503 and whole.json()["error"]["code"] == "not_recorded"
    assert streamed.events()[-1]["error"]["code"] == "not_recorded" and not streamed.done


def test_eight_callers_at_once(open_house: Callable[..., Any]) -> None:
    house = open_house(FakeEngine("Set required=False on the field to make it optional. [1]", delay=0.002))

    async def go() -> list[AsgiReply]:
        return await asyncio.gather(*(ask(house, f"{Q} {n}", stream=n % 2 == 0) for n in range(8)))

    assert [r.text() for r in asyncio.run(go())] == ["Set required=False on the field to make it optional. [1]"] * 8
    assert len({r.id for r in house.rows()}) == 8
