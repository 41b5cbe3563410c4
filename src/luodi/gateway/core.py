"""The gateway: one call in, one reply out, through one list of steps."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

from luodi.engine import Message, Sampling
from luodi.gateway.admin.reviews import queue
from luodi.gateway.cache.answers import open_answers
from luodi.gateway.cache.database import Keeper
from luodi.gateway.call import Call, Reply, Task
from luodi.gateway.events import alerts
from luodi.gateway.experiment.fleet import Fleet, Opener
from luodi.gateway.experiment.shadow import Shadows
from luodi.gateway.experiment.tally import add
from luodi.gateway.keys import ApiKeys, Principal
from luodi.gateway.ledger import Settlement, Worker, reserve, settle
from luodi.gateway.ledger.shared_limits import SharedLimits
from luodi.gateway.ledger.workers import recover
from luodi.gateway.options import GatewayOptions
from luodi.gateway.problem import Problem, has_half, invalid
from luodi.gateway.pseudonyms import Pseudonyms, keep_rows
from luodi.gateway.served import Served
from luodi.gateway.steps import chain, steps
from luodi.gateway.steps.admit import Admission
from luodi.gateway.steps.behave import tell
from luodi.gateway.steps.record import Record
from luodi.gateway.upstream import Pool
from luodi.guard.behaviour import BehaviourPolicy, BehaviourWatch
from luodi.knowledge import language_of
from luodi.store import Store
from luodi.store.audit import Sealer
from luodi.store.entropy import timed_id
from luodi.store.group import GroupWriter


class Gateway:
    """Serves one release or several. Close it to write the last records and stop the engines."""

    def __init__(
        self,
        served: Served,
        store: Store,
        options: GatewayOptions | None = None,
        *,
        opener: Opener | None = None,
        follow: bool = False,
    ) -> None:
        self.store = store
        self.fleet = Fleet(served, store, opener, follow=follow)
        self.options = options = options or GatewayOptions()
        self.keys = ApiKeys(store)
        recover(store)
        self.worker = Worker(store)
        self.writer = GroupWriter(
            store.database,
            {
                "reserve": reserve,
                "settle": settle,
                "cache": Keeper(),
                "tally": add,
                "review": queue,
                "vault": keep_rows,
                "alert": alerts,
                "behaviour": tell,
            },
            durable=frozenset({"settle"}),
            load=lambda: self.admission.running,
        )
        self.sealer = Sealer(store)
        self.pseudonyms = Pseudonyms(store, self.writer, keep_s=(options.content_days or 30) * 86_400.0)
        self.admission = Admission(options.in_flight, options.queued, options.queue_wait_s)
        self.shared_limits = SharedLimits(options.redis) if options.redis else None
        self.answers = open_answers(store, self.writer, options)
        self.shadows = Shadows(self)
        self.unsettled: deque[tuple[Call, Settlement]] = deque(maxlen=8192)
        wanted = {k: v for k, v in options.behaviour.items() if k != "act"}
        self.behaviour = BehaviourWatch(BehaviourPolicy(**wanted))
        self.record = Record(self)
        self._run = chain(steps(self))

    @property
    def served(self) -> Served:
        """The release that is live here."""
        return self.fleet.live

    def names(self) -> dict[str, Task]:
        """Names that callers may ask for, and what each does."""
        served = self.served
        releases = dict.fromkeys(self.fleet.names(), "answer")
        return {served.name: "answer", **releases, **dict.fromkeys(served.pools, "chat")}  # type: ignore[dict-item]

    def pool_of(self, call: Call) -> Pool | None:
        """The models that may answer a call; None if it needs none."""
        if call.task in ("moderate", "search", "tool"):
            return None
        return call.release.pool if call.task == "answer" else call.release.pools.get(call.model)

    def need_pool(self, call: Call) -> Pool:
        """Raises: Problem if the release that serves the call knows no such model."""
        pool = self.pool_of(call)
        if pool is None:
            raise Problem(404, "not_found_error", f"there is no model {call.model!r}", param="model",
                          code="model_not_found")  # fmt: skip
        return pool

    def call(
        self,
        messages: tuple[Message, ...],
        sampling: Sampling,
        *,
        surface: str,
        model: str = "",
        task: Task = "answer",
        secret: str = "",
        principal: Principal | None = None,
        **more: Any,
    ) -> Call:
        """A call to be handled. The question of an answer is what the user said last.

        Raises:
            Problem: there is nothing to answer.
        """
        question = ""
        if task in ("answer", "search"):
            if not messages or messages[-1].role != "user" or not messages[-1].content.strip():
                raise invalid("the last message must be the user's and must not be empty", "messages")
            question = messages[-1].content
        elif messages:
            question = next((m.content for m in reversed(messages) if m.role == "user"), "")
        if has_half(question):
            raise invalid("the question holds bytes that are not UTF-8, or half of a surrogate pair", "messages")
        return Call(
            id=timed_id("rec"),
            surface=surface,
            model=model,
            messages=messages,
            sampling=sampling,
            task=task,
            secret=secret,
            principal=principal,
            question=question,
            language=language_of(question),
            **more,
        )

    async def handle(self, call: Call) -> Reply:
        """Raises: Problem if the call is refused before there is anything to show."""
        return await self._run(call)

    async def stop(self) -> None:
        """Finish what is being written, inside the loop that served."""
        self.admission.draining = True
        await self.shadows.stop()
        await self.writer.drain()
        for part in (self.shared_limits, self.answers):
            if part is not None:
                await part.stop()
        await self.fleet.close()

    def close(self) -> None:
        """Write what is left and let go of everything. Call `stop` first if a loop ran."""
        self.writer.close()
        if self.answers is not None:
            self.answers.close()
        self.worker.close()
        if not self.served.closed:
            self.served.close_now()

    def run_alone(self, work: Any) -> Any:
        """Run a coroutine on a loop of its own, and write its records before the loop ends."""

        async def whole() -> Any:
            try:
                return await work
            finally:
                await self.writer.drain()

        return asyncio.run(whole())
