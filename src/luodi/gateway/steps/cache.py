"""The cache: a question is answered once, for all who may share the answer.

It stands behind the guard: a kept answer is checked again on its way out, by the policy of today.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING

from luodi.gateway.cache import Identity, Marks, decode, encode, identify, whole
from luodi.gateway.cache.answers import Answers
from luodi.gateway.cache.flight import Flight
from luodi.gateway.cache.semantic import Asked
from luodi.gateway.call import Call, Next, Outcome, Piece, Reply

if TYPE_CHECKING:
    from luodi.gateway.core import Gateway


class Cache:
    """Gives a kept answer again, joins an identical call in flight, or asks on and keeps what comes.

    Only answers that would be the same every time: greedy ones, or with a seed. `cache-control: no-cache` asks anew
    and keeps what comes; `no-store` keeps nothing, and shares nothing.
    """

    def __init__(self, gateway: Gateway) -> None:
        self._answers: Answers | None = gateway.answers
        self._shared = gateway.options.shared_cache
        self._marks = Marks()
        self._flights: dict[str, Flight] = {}

    async def __call__(self, call: Call, following: Next) -> Reply:
        answers = self._answers
        if (
            answers is None
            or call.task not in ("answer", "chat")
            or call.caching == "no-store"
            or (call.sampling.temperature and not call.sampling.seed)
        ):
            return await following(call)
        identity = identify(call, self._marks.of(call.release), shared=self._shared)
        if identity is None:
            return await following(call)
        key = identity.key
        if not call.caching:
            data = await answers.get(key)
            if data is not None and (found := decode(data, call, key, "exact")) is not None:
                return _again(call, *found)
            if (flight := self._flights.get(key)) is not None:
                return _listen(flight, call)
        flight = self._start(answers, identity, call, following)
        return _listen(flight, call)

    def _start(self, answers: Answers, identity: Identity, call: Call, following: Next) -> Flight:
        key = identity.key
        asked: Asked | None = None

        async def source() -> Reply:
            nonlocal asked
            if answers.semantic is not None and identity.about:
                asked = await answers.semantic.ask(identity.scope, call.question)
                if asked is not None and not call.caching:
                    found = await self._near(answers, asked, call)
                    if found is not None:
                        return found
            return await following(call)

        def done(outcome: Outcome, pieces: Sequence[Piece]) -> None:
            if outcome.cached or not whole(outcome, pieces):
                return
            reply = encode(key, call.id, outcome, outcome.verdicts, pieces)
            if reply:
                answers.put(
                    identity, reply, release=call.release.release, subject=call.subject, record=call.id, asked=asked
                )

        def over() -> None:
            if self._flights.get(key) is flight:
                del self._flights[key]

        flight = Flight(source, done, over)
        self._flights[key] = flight
        return flight

    async def _near(self, answers: Answers, asked: Asked, call: Call) -> Reply | None:
        assert answers.semantic is not None
        for key, similarity in await answers.semantic.near(asked):
            data = await answers.get(key)
            found = decode(data, call, key, "semantic", similarity) if data is not None else None
            if found is not None:
                return _again(call, *found)
        return None


def _again(call: Call, outcome: Outcome, pieces: list[Piece]) -> Reply:
    call.headers.append((b"x-luodi-cache", outcome.cached.encode()))
    return Reply(_say(pieces), outcome)


def _listen(flight: Flight, call: Call) -> Reply:
    listener = flight.join(call)
    return Reply(listener.listen(), listener.outcome)


async def _say(pieces: list[Piece]) -> AsyncGenerator[Piece, None]:
    for piece in pieces:
        yield piece
