"""One reply in flight with several listeners: identical calls share one upstream call.

Every listener reads at its own pace, has an outcome of its own and may leave when it likes; the upstream is asked as
long as anybody listens. What the model cost is paid once: by the one who asked first, or by who comes next if that
one leaves, so that the shares add up to the whole.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import fields

from luodi.gateway.cache.kept import copy
from luodi.gateway.call import Call, Outcome, Piece, Reply
from luodi.gateway.ledger.prices import Price

_AHEAD = 256  # pieces that may lie unread by the fastest listener
_OWN = ("cost_nano_usd", "verdicts", "label", "first_ms", "cached", "error")
_SHARED = tuple(f.name for f in fields(Outcome) if f.name not in _OWN)


class Flight:
    """A reply on its way. Who listens first pays.

    Args:
        source: asks the steps below; called once.
        done: told of the whole reply, if it ended by itself.
        over: called once, when nobody can join any more.
    """

    def __init__(
        self,
        source: Callable[[], Awaitable[Reply]],
        done: Callable[[Outcome, Sequence[Piece]], None],
        over: Callable[[], None],
    ) -> None:
        self._source, self._done, self._over = source, done, over
        self.pieces: list[Piece] = []
        self.outcome = Outcome()
        self.error: Exception | None = None
        self.ended = False
        self._paid = 0
        self._listeners: list[Listener] = []
        self._waiting: list[asyncio.Future[None]] = []
        self._room: asyncio.Future[None] | None = None
        self.task = asyncio.get_running_loop().create_task(self._run(), name="flight")

    def join(self, call: Call) -> Listener:
        """Listen from the beginning."""
        listener = Listener(self, call, first=self._listeners[0].call.id if self._listeners else "")
        self._listeners.append(listener)
        return listener

    async def _run(self) -> None:
        try:
            reply = await self._source()
            self.outcome = reply.outcome
            async with aclosing(reply.pieces) as pieces:
                async for piece in pieces:
                    self.pieces.append(piece)
                    self._wake()
                    if len(self.pieces) - max((x.at for x in self._listeners), default=0) > _AHEAD:
                        self._room = asyncio.get_running_loop().create_future()
                        await self._room
            self._done(self.outcome, self.pieces)
        except Exception as error:  # each listener raises it
            self.error = error
        finally:
            self.ended = True
            self._over()
            self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def change(self) -> None:
        """Until there is more to read, or it has ended."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        await future

    def moved(self) -> None:
        """A listener has read on, or left."""
        if self._room is not None:
            if not self._room.done():
                self._room.set_result(None)
            self._room = None

    def leave(self, listener: Listener) -> bool:
        """Stop listening; whether that was the last, whose leaving ends the upstream call."""
        pays = self._listeners[0] is listener
        self._listeners.remove(listener)
        if not self._listeners:
            if not self.ended:
                self._over()
                self.task.cancel()
                return True
        elif pays and not self.ended:
            # What was produced so far, at its price; what an own engine's time cost is known at the end only.
            price, shared = listener.call.price, self.outcome
            so_far = price.tokens_nano(shared.prompt_tokens, shared.completion_tokens) if price and price.known else 0
            listener.outcome.cost_nano_usd = max(0, so_far - self._paid)
            self._paid = max(self._paid, so_far)
            self._listeners[0].pays(price)
        self.moved()
        return False

    def rest(self) -> int | None:
        """What is left to pay of the whole; taken by who asks first. None if no price is known."""
        cost = self.outcome.cost_nano_usd
        if cost is None:
            return None
        rest, self._paid = cost - self._paid, cost
        return max(0, rest)


class Listener:
    """One call's part in a flight. `first` is the id of the call that it joined, "" for the one that asked."""

    def __init__(self, flight: Flight, call: Call, first: str) -> None:
        self._flight = flight
        self.call = call
        self.at = 0
        self.outcome = Outcome(cost_nano_usd=0 if first else None)
        self._first = first
        self._pays = not first
        self._left = False
        call.ending.append(self._ending)

    def pays(self, price: Price | None) -> None:
        """Pay for what comes from now on. Its slot tells so, should the gateway be killed."""
        self._pays = True
        self.call.price = price
        if price is not None and self.call.sent is not None:
            self.call.sent(price)

    async def listen(self) -> AsyncGenerator[Piece, None]:
        """The pieces, as copies of its own. Raises: what the reply ended with."""
        flight, mine = self._flight, self.outcome
        try:
            while True:
                while self.at < len(flight.pieces):
                    piece = copy(flight.pieces[self.at])
                    self.at += 1
                    if self.at == 1:
                        mine.first_ms = (time.monotonic() - self.call.started) * 1000
                        self._follow()
                    else:
                        mine.prompt_tokens = flight.outcome.prompt_tokens
                        mine.completion_tokens = flight.outcome.completion_tokens
                    flight.moved()
                    yield piece
                if flight.ended:
                    break
                await flight.change()
            self._follow()
            mine.verdicts += flight.outcome.verdicts
            if flight.error is not None:
                raise flight.error
        finally:
            await self._leave()

    def _follow(self) -> None:
        shared, mine = self._flight.outcome, self.outcome
        for name in _SHARED:
            setattr(mine, name, getattr(shared, name))
        mine.cached = shared.cached
        if self._first:
            mine.cached = shared.cached or "joined"
            mine.route = {**shared.route, "reason": "the same call was in flight", "record": self._first}

    async def _leave(self) -> None:
        if self._left:
            return
        self._left = True
        flight = self._flight
        if flight.leave(self):
            # Shielded: a caller that is cancelled once more must not leave the upstream call running unseen.
            await asyncio.shield(asyncio.gather(flight.task, return_exceptions=True))
        if self._pays and flight.ended:
            self._settle()

    def _settle(self) -> None:
        mine, shared = self.outcome, self._flight.outcome
        mine.cost_nano_usd = self._flight.rest()
        mine.prompt_tokens, mine.completion_tokens = shared.prompt_tokens, shared.completion_tokens

    def _ending(self, outcome: Outcome) -> None:
        """A reply that nobody ever read from is left all the same."""
        if not self._left:
            self._left = True
            self._flight.leave(self)
