"""An engine in this process, as an upstream."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from luodi.engine import Engine, Message, Request, stream
from luodi.gateway.call import Outcome, Piece
from luodi.gateway.ledger.prices import MachineClock, Price, machine_price
from luodi.gateway.problem import invalid
from luodi.gateway.upstream.base import Order, UpstreamError


class EngineUpstream:
    """Text only; the engine's own grammar constrains JSON."""

    own = True
    takes = frozenset({"json_schema"})

    def __init__(self, name: str, engine: Engine, usd_hour: float) -> None:
        self.name = name
        self.engine = engine
        self.model = engine.info.model
        self.context = engine.info.context
        self.price: Price = machine_price(usd_hour)
        self.clock: MachineClock | None = MachineClock(self.price.second_nano)

    async def generate(self, order: Order, outcome: Outcome) -> AsyncGenerator[Piece, None]:
        if any(m.parts for m in order.messages):
            raise invalid("this model takes text only", "messages", "unsupported_content")
        schema = (order.options.get("response_format") or {}).get("json_schema", {}).get("schema")
        request = Request(order.messages, replace(order.sampling, json_schema=schema), order.watermark)
        ended = False
        async with aclosing(stream(self.engine, request)) as deltas:  # type: ignore[type-var]
            async for delta in deltas:
                if delta.finish:
                    ended = True
                    outcome.prompt_tokens, outcome.completion_tokens = delta.prompt_tokens, delta.completion_tokens
                    if delta.finish == "error":
                        raise UpstreamError(f"the engine failed: {delta.error}")
                    outcome.finish = delta.finish
                    outcome.watermarked = delta.watermarked
                    yield Piece(delta.text, finish=delta.finish)
                else:
                    outcome.completion_tokens += bool(delta.text)
                    if delta.text:
                        yield Piece(delta.text)
        if not ended:
            raise UpstreamError("the engine ended its answer without saying so")

    async def embed(self, texts: tuple[str, ...], outcome: Outcome) -> list[list[float]]:
        raise invalid(f"{self.name} makes no embeddings", "model", "unsupported_model")

    def bound(self, messages: tuple[Message, ...]) -> int:
        return sum(self.engine.count(m.content) + 8 for m in messages) + 16

    async def close(self) -> None:
        self.engine.close()
