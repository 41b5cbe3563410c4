"""How many calls run at once, how many wait, and who goes first."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from typing import TYPE_CHECKING

from luodi.gateway.call import Call, Next, Reply
from luodi.gateway.problem import Problem

if TYPE_CHECKING:
    from luodi.gateway.core import Gateway

PRIORITIES = {"high": 0, "normal": 1, "low": 2}


class Admission:
    """A bounded number of calls in flight and a bounded queue behind them; the urgent first, then in order.

    Attributes:
        draining: no new call is let in; those in flight and in the queue are finished.
    """

    def __init__(self, in_flight: int, queued: int, wait_s: float) -> None:
        self._most, self._most_queued, self._wait_s = in_flight, queued, wait_s
        self.running = 0
        self.draining = False
        self._queue: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    @property
    def waiting(self) -> int:
        return sum(not future.done() for _, _, future in self._queue)

    async def enter(self, priority: int) -> None:
        """Wait for a place. Raises: Problem 503 if there is none, or the gateway is being stopped."""
        if self.draining:
            raise _full("the gateway is being stopped", 5)
        if self.running < self._most and not self._queue:
            self.running += 1
            return
        if self.waiting >= self._most_queued:
            raise _full("too many calls are waiting", 1)
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._queue, (priority, next(self._order), future))
        self._let_in()
        try:
            async with asyncio.timeout(self._wait_s):
                await future
        except TimeoutError:
            if future.done() and not future.cancelled():  # let in at the last moment
                return
            raise _full(f"no place was free within {self._wait_s:g} s", 1) from None
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self.leave()
            raise

    def leave(self) -> None:
        self.running -= 1
        self._let_in()

    def _let_in(self) -> None:
        while self._queue and self.running < self._most:
            _, _, future = heapq.heappop(self._queue)
            if not future.done():
                self.running += 1
                future.set_result(None)


def _full(why: str, after_s: int) -> Problem:
    return Problem(
        503, "overloaded_error", f"{why}; try again in {after_s} s", code="overloaded",
        headers=((b"retry-after", b"%d" % after_s), (b"x-should-retry", b"true")),
    )  # fmt: skip


class Admit:
    """Lets a call in, and its place free once its reply has ended.

    A team goes first if the project file says so; a call goes last if its caller says so.
    """

    def __init__(self, gateway: Gateway) -> None:
        self._admission = gateway.admission
        self._high = frozenset(gateway.options.high_teams)

    async def __call__(self, call: Call, following: Next) -> Reply:
        if call.priority == "normal" and call.principal is not None and call.principal.team in self._high:
            call.priority = "high"
        await self._admission.enter(PRIORITIES[call.priority])
        call.ending.append(lambda _: self._admission.leave())
        return await following(call)
