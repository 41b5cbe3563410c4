"""Passages for the question. What is retrieved is untrusted until the guard has seen it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from luodi.gateway.call import Call, Next, Reply
from luodi.guard import STOPS, Verdict
from luodi.knowledge import Hit, sufficient
from luodi.knowledge.confidence import MORE, missing
from luodi.knowledge.conflict import Disagreement, conflicts, shown

if TYPE_CHECKING:
    from luodi.gateway.core import Gateway
    from luodi.gateway.served import Served


class Knowledge:
    """Searches the release's index; a passage that reads like an attack is left out, and that is recorded.

    Personal data in a passage is masked before the engine, a quote or a source can show it. Passages that do not
    speak of what is asked are not given to the model, which would make an answer of them; nor, where the project says
    so, those from which an answer is too likely to be wrong.
    """

    def __init__(self, gateway: Gateway) -> None:
        pass

    async def __call__(self, call: Call, following: Next) -> Reply:
        if call.task not in ("answer", "search"):
            return await following(call)
        served = call.release
        found = await asyncio.to_thread(_search, served, call.question, judge=call.task == "answer")
        call.confidence, call.missing, call.conflicts = found.confidence, found.missing, found.conflicts
        if found.enough:
            call.hits = found.hits
        else:
            call.nearest = found.hits
        reply = await following(call)
        reply.outcome.verdicts = [*found.verdicts, *reply.outcome.verdicts]
        return reply


@dataclass(frozen=True, slots=True)
class _Found:
    hits: tuple[Hit, ...]
    verdicts: list[Verdict]
    enough: bool
    confidence: float | None
    missing: tuple[str, ...]
    conflicts: tuple[Disagreement, ...]


def _search(served: Served, question: str, *, judge: bool) -> _Found:
    found = served.index.search(question, served.options["passages"] + MORE)
    kept: list[Hit] = []
    verdicts: list[Verdict] = []
    for hit in found:
        result = served.guard.check_untrusted(f"{hit.chunk.title}\n{hit.chunk.text}")
        if result.stops:
            verdicts += [v for v in result.verdicts if v.action in STOPS]
        else:
            # Masked, if it was: sources and quotes go to the caller past the guard of the answer.
            title, _, text = result.text.partition("\n")
            kept.append(replace(hit, chunk=replace(hit.chunk, title=title, text=text)))
    hits = tuple(kept[: served.options["passages"]])
    if not judge:
        return _Found(hits, verdicts, True, None, (), ())
    fitted = served.confidence
    confidence = fitted.of(served.index, question, kept) if fitted is not None else None
    enough = sufficient(served.index, question, hits)
    if fitted is not None and confidence is not None and served.options.get("withhold"):
        enough = confidence >= fitted.threshold
    absent = tuple(missing(served.index, question, hits))
    differ = shown(served.index, conflicts(question, kept), kept) if enough else ()
    return _Found(hits, verdicts, enough, confidence, absent, differ)
