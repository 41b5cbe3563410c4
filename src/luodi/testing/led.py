"""A model that says its next piece when the test lets it, and calls that are read by hand."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

from luodi.gateway.call import Outcome, Piece
from luodi.gateway.ledger.prices import MachineClock, Price
from luodi.gateway.upstream import Order, Pool
from luodi.gateway.upstream.base import bytes_bound
from luodi.testing.asgi import AsgiReply, call

PRICE = Price(1_000_000, 2_000_000, source="project")  # pico-dollars: 1,000 and 2,000 nano-dollars a token


@dataclass
class Led:
    """An upstream. `say` gives the newest of its streams a piece; an exception is raised."""

    takes: frozenset[str] = frozenset()
    streams: list[asyncio.Queue[Any]] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)  # how each stream that is over ended
    made: list[int] = field(default_factory=list)  # tokens that each stream has said
    name: str = "led"
    model: str = "led"
    own: bool = True
    context: int = 8192
    price: Price = PRICE
    clock: MachineClock | None = None

    async def generate(self, order: Order, outcome: Outcome) -> AsyncGenerator[Piece, None]:
        queue: asyncio.Queue[Any] = asyncio.Queue()
        self.streams.append(queue)
        number = len(self.made)
        self.made.append(0)
        outcome.prompt_tokens = 10
        how = "left"
        try:
            while True:
                said = await queue.get()
                if isinstance(said, Exception):
                    how = "died"
                    raise said
                if said == "":
                    how, outcome.finish = "done", "stop"
                    yield Piece(finish="stop")
                    return
                outcome.completion_tokens += 1
                self.made[number] += 1
                yield Piece(said)
        except asyncio.CancelledError:
            how = "cancelled"
            raise
        finally:
            self.ended.append(how)

    def say(self, *pieces: Any, stream: int = -1) -> None:
        for piece in pieces:
            self.streams[stream].put_nowait(piece)

    async def embed(self, texts: tuple[str, ...], outcome: Outcome) -> list[list[float]]:
        raise AssertionError("nobody asks for vectors")

    def bound(self, messages: Any) -> int:
        return bytes_bound(messages)

    async def close(self) -> None:
        pass


class Reader:
    """One caller. `leave` closes its connection; `reply` is complete once `wait` has returned."""

    def __init__(self, room: LedRoom, question: str, key: str, more: dict[str, Any]) -> None:
        self.gone = asyncio.Event()
        self._parts: list[AsgiReply] = []
        headers = more.pop("headers", ())
        sent = {"model": "chat", "messages": [{"role": "user", "content": question}], "stream": True} | more
        self.task = asyncio.create_task(
            call(
                room.house.app, "POST", "/v1/chat/completions", body=sent, key=key, gone=self.gone, headers=headers,
                leave=self._see,
            )
        )  # fmt: skip

    def _see(self, reply: AsgiReply) -> bool:
        self._parts[:] = [reply]
        return False

    def text(self) -> str:
        return self._parts[0].text() if self._parts and self._parts[0].status == 200 else ""

    def id(self) -> str:
        """Of the call's record; "" before anything came."""
        return self._parts[0].headers.get("x-request-id", "") if self._parts else ""

    async def leave(self) -> None:
        self.gone.set()
        await asyncio.wait({self.task}, timeout=5)

    async def wait(self) -> AsgiReply:
        return await asyncio.wait_for(self.task, 5)


@dataclass
class LedRoom:
    """The house, the model `chat`, and the keys of three people of one team."""

    house: Any
    model: Led
    keys: list[str]

    def ask(self, question: str = "What is up?", person: int = 0, **more: Any) -> Reader:
        return Reader(self, question, self.keys[person], more)

    def serve(self, name: str = "chat") -> None:
        """Put the model behind a name, beside the release."""
        self.house.gateway.served.pools[name] = Pool(name, [self.model])

    async def turn(self, seconds: float = 0.02) -> None:
        """Let everybody do what they can do: until nothing was done twice in a row, on a busy machine too."""
        quiet = 0
        for _ in range(100):
            began, used = time.monotonic(), time.process_time()
            await asyncio.sleep(seconds / 2)
            late = time.monotonic() - began > seconds
            quiet = 0 if late or time.process_time() - used > seconds / 8 else quiet + 1
            if quiet == 2:
                return

    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(r.data) | {"cost": r.cost_nano_usd, "id": r.id} for r in self.house.rows()]
