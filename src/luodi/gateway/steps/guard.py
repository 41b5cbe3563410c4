"""The guard at both doors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING

from luodi.gateway.call import Call, Next, Outcome, Reply
from luodi.guard import HoldBack

if TYPE_CHECKING:
    from luodi.gateway.core import Gateway


class GuardStep:
    """Refuses attacks and masks personal data on the way in; on the way out holds text back until it is checked."""

    def __init__(self, gateway: Gateway) -> None:
        self._guard = gateway.served.guard

    async def __call__(self, call: Call, following: Next) -> Reply:
        result = await asyncio.to_thread(self._guard.check_input, call.question)
        if result.action == "block":
            refusal = self._guard.refusal(result, call.language)
            outcome = Outcome(kind="refused", finish="content_filter", verdicts=list(result.verdicts))
            return Reply(_say(refusal), outcome)
        if result.text != call.question:
            call.question = result.text
            call.messages = (*call.messages[:-1], replace(call.messages[-1], content=result.text))
        reply = await following(call)
        reply.outcome.verdicts = [*result.verdicts, *reply.outcome.verdicts]
        return Reply(self._out(reply, call.language), reply.outcome)

    async def _out(self, reply: Reply, language: str) -> AsyncGenerator[str, None]:
        """Personal data is masked as it passes; a leak of the instructions ends the answer before it is shown.

        Text reaches this step in whole checked sentences, so the leak check sees each sentence with what came before.
        """
        hold, said = HoldBack(), ""
        async with aclosing(reply.text) as pieces:
            async for piece in pieces:
                said += piece
                result = self._guard.check_output(said)
                if result.action == "block":
                    reply.outcome.verdicts += result.verdicts
                    reply.outcome.kind, reply.outcome.finish, reply.outcome.citations = "refused", "content_filter", ()
                    yield self._guard.refusal(result, language)
                    return
                shown = hold.feed(piece)
                if shown:
                    yield shown
        rest = hold.finish()
        if rest:
            yield rest
        reply.outcome.verdicts += self._guard.check_output(said).verdicts


async def _say(text: str) -> AsyncGenerator[str, None]:
    yield text
