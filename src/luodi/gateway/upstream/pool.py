"""Several upstreams behind one name: which is tried first, and what happens when it fails."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Any

from luodi.gateway.call import Call, Outcome, Piece
from luodi.gateway.ledger.prices import Price
from luodi.gateway.problem import Problem, invalid
from luodi.gateway.upstream.base import Order, Upstream, UpstreamError
from luodi.gateway.upstream.breaker import Breaker
from luodi.gateway.upstream.policy import Policy, in_order

_TRIES = 2  # of one upstream
_PAUSE_S = 0.2
_FALLBACKS = 3  # upstreams tried for a call


Started = Callable[[Price], None]


def too_long() -> Problem:
    return Problem(504, "timeout_error", "the answer took longer than a call may", code="deadline_exceeded")


class Pool:
    """Upstreams under one name of a model.

    Args:
        own_only: calls may not leave machines of ours.
        personal_own: calls that hold personal data may not, even if others may.
    """

    def __init__(
        self,
        name: str,
        upstreams: Sequence[Upstream],
        policy: Policy = in_order,
        *,
        own_only: bool = False,
        personal_own: bool = True,
    ) -> None:
        self.name = name
        self.policy = policy
        self._members = [(u, Breaker()) for u in upstreams]
        self._own_only, self._personal_own = own_only, personal_own

    @property
    def upstreams(self) -> list[Upstream]:
        return [u for u, _ in self._members]

    def health(self) -> list[dict[str, Any]]:
        return [
            {"upstream": u.name, "model": u.model, "own": u.own, "state": b.state, "in_flight": b.in_flight,
             "latency_ms": round(b.latency_ms, 1)}
            for u, b in self._members
        ]  # fmt: skip

    def able(self, call: Call, needs: frozenset[str]) -> list[tuple[Upstream, Breaker]]:
        """The upstreams that may and can answer a call.

        Raises:
            Problem: none may, or none can; the reason is named.
        """
        members = self._members
        if self._own_only or (self._personal_own and call.personal):
            members = [m for m in members if m[0].own]
            if not members:
                why = "it holds personal data" if call.personal and not self._own_only else "serve.privacy says so"
                raise Problem(
                    403, "permission_error", f"this call may not leave our machines: {why}", code="own_engines_only"
                )
        able = [m for m in members if needs <= m[0].takes]
        if not able:
            lacking = sorted(needs - frozenset().union(*(m[0].takes for m in members)))
            raise invalid(
                f"{self.name!r} does not take {', '.join(lacking) or 'these together'}", next(iter(lacking), None),
                "unsupported_parameter",
            )  # fmt: skip
        return able

    async def generate(
        self, call: Call, order: Order, outcome: Outcome, started: Started, needs: frozenset[str] = frozenset()
    ) -> AsyncGenerator[Piece, None]:
        """The pieces of an answer. Another upstream is tried only before the first piece.

        Raises:
            Problem: no upstream could answer; what the last one said.
        """
        able = self.able(call, needs)
        open_ = [m for m in able if m[1].allows()]
        if not open_:
            raise Problem(503, "overloaded_error", f"no model behind {self.name!r} is well", code="no_upstream")
        breakers = {id(u): b for u, b in open_}
        tried: list[dict[str, Any]] = []
        last: UpstreamError | None = None
        for choice in self.policy(call, open_)[:_FALLBACKS]:
            upstream, breaker = choice.upstream, breakers[id(choice.upstream)]
            for attempt in range(_TRIES):
                outcome.route = {
                    "model": self.name, "upstream": upstream.name, "reason": choice.reason, **choice.about,
                    **({"tried": tried} if tried else {}),
                }  # fmt: skip
                started(upstream.price)
                breaker.begin()
                failed: bool | None = None
                after, first, mark = 0.0, True, upstream.clock.start() if upstream.clock else 0.0
                began = time.monotonic()
                try:
                    async with aclosing(upstream.generate(order, outcome)) as pieces:
                        async for piece in pieces:
                            if first:
                                first = False
                                breaker.first((time.monotonic() - began) * 1000)
                            yield piece
                    failed = False
                    breaker.took((time.monotonic() - began) * 1000)
                    return
                except UpstreamError as error:
                    failed, after, last = error.retry, error.after_s, error
                    tried.append({"upstream": upstream.name, "error": error.message[:200]})
                    if not first or not error.retry:
                        raise
                    if time.monotonic() >= order.until:
                        raise too_long() from error
                    outcome.prompt_tokens = outcome.completion_tokens = 0  # nothing was delivered of this try
                finally:
                    if upstream.clock:
                        outcome.cost_nano_usd = (outcome.cost_nano_usd or 0) + upstream.clock.stop(mark)
                    elif upstream.price.known:
                        tokens = upstream.price.tokens_nano(outcome.prompt_tokens, outcome.completion_tokens)
                        outcome.cost_nano_usd = (outcome.cost_nano_usd or 0) + tokens
                    breaker.end(failed=failed, after_s=after)
                if attempt + 1 < _TRIES and not after and breaker.allows():
                    await asyncio.sleep(_PAUSE_S * 2**attempt * (0.5 + random.random()))
                else:
                    break
        assert last is not None
        raise last

    async def embed(self, call: Call, outcome: Outcome, started: Started) -> list[list[float]]:
        """Vectors of the call's texts. Raises: Problem if no upstream made them."""
        able = [m for m in self.able(call, frozenset({"embed"})) if m[1].allows()]
        if not able:
            raise Problem(503, "overloaded_error", f"no model behind {self.name!r} is well", code="no_upstream")
        last: UpstreamError | None = None
        for upstream, breaker in able[:_FALLBACKS]:
            started(upstream.price)
            outcome.route = {"model": self.name, "upstream": upstream.name, "reason": "first in order"}
            breaker.begin()
            mark = upstream.clock.start() if upstream.clock else 0.0
            failed: bool | None = None
            try:
                vectors = await upstream.embed(call.texts, outcome)
                failed = False
                return vectors
            except UpstreamError as error:
                failed, last = error.retry, error
                if not error.retry:
                    raise
            finally:
                if upstream.clock:
                    outcome.cost_nano_usd = (outcome.cost_nano_usd or 0) + upstream.clock.stop(mark)
                elif upstream.price.known:
                    outcome.cost_nano_usd = upstream.price.tokens_nano(outcome.prompt_tokens, 0)
                breaker.end(failed=failed)
        assert last is not None
        raise last

    async def close(self) -> None:
        for upstream, _ in self._members:
            await upstream.close()
