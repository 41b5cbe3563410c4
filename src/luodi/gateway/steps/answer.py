"""The engine writes; every sentence is checked against its passage before it is passed on."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

from luodi.engine import Request, stream
from luodi.gateway.call import Call, Next, Outcome, Reply
from luodi.gateway.problem import Problem
from luodi.knowledge import Grounded, Grounder, abstain, build_messages

if TYPE_CHECKING:
    from luodi.gateway.core import Gateway


class Answer:
    """The last step: it asks no further one."""

    def __init__(self, gateway: Gateway) -> None:
        self._served = gateway.served

    async def __call__(self, call: Call, following: Next) -> Reply:
        outcome = Outcome()
        return Reply(self._generate(call, outcome), outcome)

    async def _generate(self, call: Call, outcome: Outcome) -> AsyncGenerator[str, None]:
        if not call.hits:
            grounded = abstain(call.question, call.nearest)
            _fill(outcome, grounded)
            outcome.finish = "stop"
            yield grounded.text
            return
        request = Request(build_messages(call.question, call.hits, self._served.instructions), call.sampling)
        grounder = Grounder(call.question, call.hits)
        async with aclosing(stream(self._served.engine, request)) as deltas:  # type: ignore[type-var]
            async for delta in deltas:
                outcome.first_ms = outcome.first_ms or (time.monotonic() - call.started) * 1000
                outcome.completion_tokens += bool(delta.text) and not delta.finish
                shown = grounder.feed(delta.text) if delta.text else ""
                if shown:
                    yield shown
                if delta.finish:
                    outcome.prompt_tokens, outcome.completion_tokens = delta.prompt_tokens, delta.completion_tokens
                    outcome.finish = delta.finish
                    if delta.finish == "error":
                        outcome.error = delta.error
                        raise Problem(502, "upstream_error", f"the engine failed: {delta.error}", code="engine_error")
        rest, grounded = grounder.finish()
        _fill(outcome, grounded)
        if rest:
            yield rest


def _fill(outcome: Outcome, grounded: Grounded) -> None:
    outcome.kind = grounded.kind
    outcome.citations, outcome.nearest = grounded.citations, grounded.nearest
    outcome.checks = [
        {"checks": c.checks, "coverage": round(c.coverage, 3), "passage": c.passage} for c in grounded.checked
    ]
    outcome.dropped = len(grounded.dropped)
