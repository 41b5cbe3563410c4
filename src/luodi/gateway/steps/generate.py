"""The last step: a model writes. An answer's sentences are checked against their passages before they are passed on."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

from luodi.engine.watermark import Watermark, watermark_of
from luodi.gateway.call import Call, Next, Outcome, Piece, Reply
from luodi.gateway.ledger.prices import Price
from luodi.gateway.upstream import Order
from luodi.gateway.upstream.pool import too_long
from luodi.gateway.upstream.shape import Shape, needs_of
from luodi.knowledge import Grounded, Grounder, Index, abstain, build_messages, extract, sourced
from luodi.knowledge.conflict import note

if TYPE_CHECKING:
    from luodi.gateway.core import Gateway


class Generate:
    """It asks no further step."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._watermark = watermark_of(gateway.store)

    async def __call__(self, call: Call, following: Next) -> Reply:
        outcome = Outcome()
        if call.task == "moderate":
            outcome.kind, outcome.finish = "moderated", "stop"
            return Reply(_nothing(), outcome)
        if call.task == "search":
            outcome.kind, outcome.finish = "found", "stop"
            return Reply(_nothing(), outcome)
        if call.work is not None:
            return Reply(call.work(call, outcome), outcome)
        if call.task == "embed":
            return Reply(self._embed(call, outcome), outcome)
        if call.task == "chat":
            return Reply(self._chat(call, outcome), outcome)
        return Reply(self._answer(call, outcome), outcome)

    def _started(self, call: Call, price: Price) -> None:
        call.price = price
        if call.sent is not None:
            call.sent(price)

    async def _chat(self, call: Call, outcome: Outcome) -> AsyncGenerator[Piece, None]:
        """Pieces as the model sends them, within the time a call may take."""
        outcome.kind = "generated"
        pool = self._gateway.need_pool(call)
        until = call.started + self._gateway.options.deadline_s
        order = Order(call.messages, call.sampling, call.stream, call.options, until, self._mark(call))
        shape = Shape.of(call.options)
        async with aclosing(
            pool.generate(call, order, outcome, lambda p: self._started(call, p), needs_of(call))
        ) as pieces:
            async for piece in pieces:
                if not outcome.first_ms:
                    outcome.first_ms = (time.monotonic() - call.started) * 1000
                if shape is not None:
                    shape.feed(piece)
                yield piece
                if time.monotonic() > until:
                    raise too_long()
        if shape is not None:
            shape.check()

    async def _answer(self, call: Call, outcome: Outcome) -> AsyncGenerator[Piece, None]:
        outcome.confidence, outcome.missing = call.confidence, call.missing
        if not call.hits:
            grounded = abstain(call.question, call.nearest)
            _fill(outcome, grounded, call.release.index)
            outcome.finish, outcome.cost_nano_usd = "stop", 0
            yield Piece(grounded.text)
            return
        served = call.release
        if served.options.get("answers") == "extracted":  # word for word, and no model is asked
            grounded = extract(call.question, call.hits)
            _fill(outcome, grounded, served.index)
            outcome.finish, outcome.cost_nano_usd = "stop", 0
            outcome.first_ms = (time.monotonic() - call.started) * 1000
            yield Piece(grounded.text)
            for piece in _disagreements(call, outcome, grounded):
                yield piece
            return
        until = call.started + self._gateway.options.deadline_s
        messages = build_messages(call.question, call.hits, served.instructions)
        order = Order(messages, call.sampling, until=until, watermark=self._mark(call))
        grounder = Grounder(call.question, call.hits)
        async with aclosing(served.pool.generate(call, order, outcome, lambda p: self._started(call, p))) as pieces:
            async for piece in pieces:
                if piece.text:
                    outcome.first_ms = outcome.first_ms or (time.monotonic() - call.started) * 1000
                    shown = grounder.feed(piece.text)
                    if shown:
                        yield Piece(shown)
                if time.monotonic() > until:
                    raise too_long()
        rest, grounded = grounder.finish()
        _fill(outcome, grounded, served.index)
        if rest:
            yield Piece(rest)
        for piece in _disagreements(call, outcome, grounded):
            yield piece

    def _mark(self, call: Call) -> Watermark | None:
        return self._watermark if call.release.watermark else None

    async def _embed(self, call: Call, outcome: Outcome) -> AsyncGenerator[Piece, None]:
        outcome.kind = "embedded"
        pool = self._gateway.need_pool(call)
        yield Piece(vectors=await pool.embed(call, outcome, lambda p: self._started(call, p)))


async def _nothing() -> AsyncGenerator[Piece, None]:
    return
    yield


def _disagreements(call: Call, outcome: Outcome, grounded: Grounded) -> list[Piece]:
    """A note below the answer, where its sources say different things."""
    if not call.conflicts or grounded.kind == "abstained":
        return []
    outcome.conflicts = tuple(d.as_dict() for d in call.conflicts)
    return [Piece(f"\n\n{note(call.conflicts, call.language)}")]


def _fill(outcome: Outcome, grounded: Grounded, index: Index) -> None:
    outcome.kind = grounded.kind
    outcome.citations, outcome.nearest = sourced(index, grounded.citations), sourced(index, grounded.nearest)
    outcome.checks = [
        {"checks": c.checks, "coverage": round(c.coverage, 3), "passage": c.passage} for c in grounded.checked
    ]
    outcome.dropped = len(grounded.dropped)
