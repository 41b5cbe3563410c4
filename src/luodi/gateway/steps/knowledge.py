"""Passages for the question. What is retrieved is untrusted until the guard has seen it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from luodi.gateway.call import Call, Next, Reply
from luodi.guard import Verdict
from luodi.knowledge import Hit, sufficient

if TYPE_CHECKING:
    from luodi.gateway.core import Gateway
    from luodi.gateway.served import Served


class Knowledge:
    """Searches the release's index; a passage that reads like an attack is left out, and that is recorded.

    Personal data in a passage is masked before the engine, a quote or a source can show it. Passages that do not
    speak of what is asked are not given to the model, which would make an answer of them.
    """

    def __init__(self, gateway: Gateway) -> None:
        pass

    async def __call__(self, call: Call, following: Next) -> Reply:
        if call.task not in ("answer", "search"):
            return await following(call)
        served = call.release
        hits, verdicts = await asyncio.to_thread(_search, served, call.question)
        if call.task == "search" or await asyncio.to_thread(sufficient, served.index, call.question, hits):
            call.hits = hits
        else:
            call.nearest = hits
        reply = await following(call)
        reply.outcome.verdicts = [*verdicts, *reply.outcome.verdicts]
        return reply


def _search(served: Served, question: str) -> tuple[tuple[Hit, ...], list[Verdict]]:
    found = served.index.search(question, served.options["passages"] + 2)
    kept: list[Hit] = []
    verdicts: list[Verdict] = []
    for hit in found:
        result = served.guard.check_untrusted(f"{hit.chunk.title}\n{hit.chunk.text}")
        if result.action == "block":
            verdicts += [v for v in result.verdicts if v.action == "block"]
        else:
            # Masked, if it was: sources and quotes go to the caller past the guard of the answer.
            title, _, text = result.text.partition("\n")
            kept.append(replace(hit, chunk=replace(hit.chunk, title=title, text=text)))
    return tuple(kept[: served.options["passages"]]), verdicts
