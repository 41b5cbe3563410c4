"""An answer for which too little speaks is put before a person."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from luodi.gateway.admin.reviews import Queued
from luodi.gateway.call import Call, Next, Outcome, Reply
from luodi.gateway.experiment.shadow import seen
from luodi.gateway.why.confidence import of_outcome

if TYPE_CHECKING:
    from luodi.gateway.core import Gateway


class Review:
    """Looks at a reply when it has ended; the caller has it all the same.

    The entry is put before the call's row, in the same turn of the loop: one transaction writes both.
    """

    def __init__(self, gateway: Gateway) -> None:
        self._writer = gateway.writer
        self._below = gateway.options.review_below

    async def __call__(self, call: Call, following: Next) -> Reply:
        if call.task == "answer" and call.surface != "shadow":
            call.ending.append(partial(self._ended, call))
        return await following(call)

    def _ended(self, call: Call, outcome: Outcome) -> None:
        value = of_outcome(outcome).value
        if value is not None and value < self._below and not outcome.error:
            about = {"confidence_micro": round(value * 1e6), "below_micro": round(self._below * 1e6)}
            self._writer.put("review", Queued(call.id, "confidence", about)).add_done_callback(seen)
