"""Which release serves a call."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from luodi.gateway.call import Call, Next, Outcome, Reply
from luodi.gateway.experiment.shadow import seen
from luodi.gateway.experiment.tally import Count, measure
from luodi.gateway.problem import Problem

if TYPE_CHECKING:
    from luodi.gateway.core import Gateway


class Choose:
    """The live release, or the one that an experiment gives this caller; never one that was revoked or has expired."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._shadows = gateway.shadows

    async def __call__(self, call: Call, following: Next) -> Reply:
        fleet = self._gateway.fleet
        if call.served is not None:  # a shadow's call comes with its release
            served = call.served
        else:
            served = call.served = fleet.choose(call)
        if fleet.revoked and served.digest in fleet.revoked:
            raise Problem(
                503, "overloaded_error", f"{served.release} was withdrawn and answers no more", code="release_withdrawn"
            )
        served.users += 1
        call.ending.append(served.left)
        if not fleet.busy:
            return await following(call)
        shadow = fleet.shadows(call) if call.surface != "shadow" else None
        if call.experiment and call.surface != "shadow":
            call.ending.append(partial(self._count, call))
        if shadow is None:
            return await following(call)
        asked = self._shadows.copy(call)
        reply = await following(call)
        return self._shadows.watch(asked, call, reply, *shadow)

    def _count(self, call: Call, outcome: Outcome) -> None:
        values = measure(call, outcome)
        if values:
            where = call.experiment
            count = Count(where["id"], where["arm"], where["stage"], values)
            self._gateway.writer.put("tally", count).add_done_callback(seen)
