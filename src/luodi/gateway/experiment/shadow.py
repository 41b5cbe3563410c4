"""Shadows: a release answers a copy of a call after its caller was answered; nobody waits for it or sees it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING

from luodi.gateway.call import Call, Outcome, Piece, Reply
from luodi.gateway.experiment.plan import Plan
from luodi.gateway.experiment.tally import Count, measure
from luodi.gateway.keys import Principal
from luodi.gateway.problem import Problem
from luodi.store.entropy import timed_id

if TYPE_CHECKING:
    from luodi.gateway.core import Gateway
    from luodi.gateway.served import Served

_MOST = 16  # at once; more are left out
_log = logging.getLogger("luodi.gateway")


class Shadows:
    """Runs them. They are calls like any other: guarded, recorded and charged, to a key of the experiment's own."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._tasks: set[asyncio.Task[None]] = set()

    @staticmethod
    def copy(call: Call) -> Call:
        """The call as it came in; the guard masks the one that goes on."""
        return replace(call, headers=[], ending=[])

    def watch(self, asked: Call, call: Call, reply: Reply, plan: Plan, served: Served) -> Reply:
        """The reply, after whose end the shadow is asked the same."""
        return Reply(self._follow(asked, call, reply, plan, served), reply.outcome)

    async def _follow(
        self, asked: Call, call: Call, reply: Reply, plan: Plan, served: Served
    ) -> AsyncGenerator[Piece, None]:
        said: list[str] = []
        async with aclosing(reply.pieces) as pieces:
            async for piece in pieces:
                said.append(piece.text)
                yield piece
        values = measure(call, reply.outcome)
        if not values or len(self._tasks) >= _MOST or self._gateway.admission.draining:
            return
        self._gateway.writer.put("tally", Count(plan.id, plan.base, 0, values)).add_done_callback(seen)
        work = self._run(asked, plan, served, "".join(said), reply.outcome.kind)
        task = asyncio.get_running_loop().create_task(work, name="shadow")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, asked: Call, plan: Plan, served: Served, said: str, kind: str) -> None:
        scopes = self._gateway.fleet.shadow_scopes
        call = replace(
            asked, id=timed_id("rec"), surface="shadow", secret="", user="", priority="low", caching="no-store",
            principal=Principal.of("shadow", f"shadow {plan.id}", "user", "", scopes), served=served, hold=None,
            stream=False, headers=[], ending=[], started=time.monotonic(),
            experiment={"id": plan.id, "arm": served.release, "stage": 0, "of": asked.id},
        )  # fmt: skip
        told: list[str] = []
        outcome = Outcome()
        try:
            reply = await self._gateway.handle(call)
            outcome = reply.outcome
            async with aclosing(reply.pieces) as pieces:
                async for piece in pieces:
                    told.append(piece.text)
        except Problem as problem:
            outcome.error, outcome.status = problem.message, problem.status
        except Exception:
            _log.exception("a shadow failed")
            return
        values = measure(call, outcome)
        if values:
            if not outcome.error:
                same = outcome.kind == kind and "".join(told).split() == said.split()
                values["differs"] = float(not same)
            self._gateway.writer.put("tally", Count(plan.id, served.release, 0, values)).add_done_callback(seen)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def seen(future: asyncio.Future[None]) -> None:
    """What could not be counted is not counted; that it is known is all that asyncio wants."""
    if not future.cancelled():
        future.exception()
