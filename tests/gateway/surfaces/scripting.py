"""Models that say what a test tells them, piece by piece, and what surfaces' tests read answers with."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

from luodi.gateway.call import Outcome, Piece
from luodi.gateway.ledger.prices import MachineClock, Price
from luodi.gateway.upstream import Order
from luodi.gateway.upstream.base import bytes_bound
from luodi.testing import AsgiReply, call

PRICE = Price(1_000_000, 2_000_000, source="project")


@dataclass
class Model:
    """An upstream. `says` are its pieces, an exception among them is raised; `orders` is what it was asked."""

    says: list[Any] = field(default_factory=lambda: [Piece("Hello "), Piece("there."), Piece(finish="stop")])
    takes: frozenset[str] = frozenset({"tools", "json_schema", "images", "n", "logprobs", "embed"})
    wait: float = 0.0
    vectors: list[list[float]] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    embedded: list[tuple[str, ...]] = field(default_factory=list)
    go: asyncio.Event | None = None
    name: str = "scripted"
    model: str = "scripted"
    own: bool = True
    context: int = 8192
    price: Price = PRICE
    clock: MachineClock | None = None

    async def generate(self, order: Order, outcome: Outcome) -> AsyncGenerator[Piece, None]:
        self.orders.append(order)
        outcome.prompt_tokens = 7
        for piece in self.says:
            if self.go is not None:
                await self.go.wait()
            await asyncio.sleep(self.wait)
            if isinstance(piece, Exception):
                raise piece
            outcome.completion_tokens += bool(piece.text or piece.tool)
            if piece.finish and not piece.index:
                outcome.finish = piece.finish  # type: ignore[assignment]
            made = Piece(piece.text, piece.index, piece.tool and dict(piece.tool), piece.logprobs, piece.finish)
            yield made

    async def embed(self, texts: tuple[str, ...], outcome: Outcome) -> list[list[float]]:
        self.embedded.append(texts)
        outcome.prompt_tokens, outcome.finish = 3 * len(texts), "stop"
        return self.vectors or [[0.5, -0.25, float(n)] for n in range(len(texts))]

    def bound(self, messages: Any) -> int:
        return bytes_bound(messages)

    async def close(self) -> None:
        pass


def tool(arguments: str, *, index: int = 0, id: str = "", name: str = "") -> Piece:
    return Piece("", 0, {"index": index, "id": id, "name": name, "arguments": arguments})


@dataclass
class Room:
    """The house, and the model `chat` beside its release."""

    house: Any
    model: Model

    def post(self, path: str, sent: Any, *, key: str | None = None, **more: Any) -> AsgiReply:
        return asyncio.run(self.ask(path, sent, key=key, **more))

    async def ask(self, path: str, sent: Any, *, key: str | None = None, **more: Any) -> AsgiReply:
        return await call(self.house.app, "POST", path, body=sent, key=self.house.key if key is None else key, **more)


def events(reply: AsgiReply) -> list[tuple[str, dict[str, Any]]]:
    """Named events in order; checks that the name is the value's type."""
    out = []
    for block in reply.body.decode().split("\n\n"):
        if not block or block.startswith(":"):
            continue
        first, second = block.split("\n")
        kind, value = first.removeprefix("event: "), json.loads(second.removeprefix("data: "))
        assert value["type"] == kind
        out.append((kind, value))
    return out
