"""Limits and budgets: the worst case of a call is held before it starts."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from luodi.gateway.call import Call, Next, Outcome, Reply
from luodi.gateway.ledger import Reservation, Room, Scope
from luodi.gateway.ledger.prices import Price
from luodi.gateway.ledger.slots import HELD, InFlight
from luodi.gateway.problem import Problem
from luodi.store.database import now_ms

if TYPE_CHECKING:
    from luodi.gateway.core import Gateway
    from luodi.gateway.ledger.shared_limits import SharedLimits

_WHAT = {
    "requests_minute": "requests a minute",
    "tokens_minute": "tokens a minute",
    "concurrent": "calls at a time",
    "day_nano_usd": "the day's budget",
    "month_nano_usd": "the month's budget",
}


@dataclass(slots=True)
class Hold:
    """What a call holds until it is settled. `slot` is its place among the calls in flight."""

    slot: int
    scopes: tuple[str, ...]
    held: tuple[str, ...]
    nano_usd: int
    tokens: int


class Limit:
    """Refuses a call that could go over a limit of its key, its team or the project."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._shared = gateway.shared_limits
        self._writer = gateway.writer
        self._worker = gateway.worker
        self._slots = gateway.worker.slots

    async def __call__(self, call: Call, following: Next) -> Reply:
        principal = call.principal
        assert principal is not None
        nano, tokens = self._worst(call)
        if self._shared is not None and principal.limited:
            await self._take_shared(self._shared, call, principal.limited, tokens)
        now = now_ms()
        limited = tuple(s.name for s in principal.limited)
        slot = self._slots.take(
            InFlight(
                HELD,
                now,
                now,
                0,
                0,
                0,
                0,
                0,
                nano,
                bool(limited),
                call.id,
                principal.key_id,
                principal.team,
                call.release.release,
                call.release.digest,
                call.surface,
            )
        )
        if limited:
            future = self._writer.put("reserve", Reservation(self._worker.id, principal.limited, tokens, nano, now))
            try:
                room: Room = await asyncio.shield(future)
            except asyncio.CancelledError:  # the caller left; what was held all the same is let go with the call's row
                room = await future
                if not room.denied:
                    call.hold = Hold(slot, principal.names, limited, nano, tokens)
                raise
            finally:
                if not future.done() or future.exception() is not None:
                    self._slots.release(slot)
            call.headers += _headers(room)
            if room.denied:
                self._slots.release(slot)
                raise _refusal(room, nano)
        call.hold = Hold(slot, principal.names, limited, nano, tokens)
        call.sent = partial(self._sent, call)
        return await following(call)

    def _sent(self, call: Call, price: Price) -> None:
        if call.hold is not None:
            self._slots.sent(call.hold.slot, price.in_pico, price.out_pico, price.second_nano)

    async def _take_shared(self, shared: SharedLimits, call: Call, scopes: tuple[Scope, ...], tokens: int) -> None:
        """What a minute allows over all machines; where Redis is silent, this machine's own limits hold."""
        room = await shared.take(scopes, tokens)
        if room is None:
            return
        if room.denied:
            call.headers += _headers(room)
            raise _refusal(room, 0)

        def settle(outcome: Outcome) -> None:
            if call.hold is None:  # refused by another limit: nothing was used
                shared.correct(scopes, -tokens, requests=-1)
            else:
                shared.correct(scopes, outcome.prompt_tokens + outcome.completion_tokens - tokens)

        call.ending.append(settle)

    def _worst(self, call: Call) -> tuple[int, int]:
        """(nano-dollars at worst, tokens by estimate)."""
        pool = self._gateway.pool_of(call)
        answers = int(call.options.get("n") or 1)
        completion = 0 if call.task in ("embed", "moderate") else call.sampling.max_tokens * answers
        size = sum(len(m.content) for m in call.messages) + sum(len(t) for t in call.texts)
        if pool is None:
            return 0, size // 3 + 1
        extra = 4096 if call.task == "answer" else 0  # passages are put before the question
        nano = 0
        for upstream in pool.upstreams:
            price = upstream.price
            if not price.known and self._gateway.options.unknown_price == "refuse":
                raise Problem(
                    403, "permission_error", f"no price is known for {upstream.name!r}, so it is not asked",
                    code="unknown_price",
                )  # fmt: skip
            bound = 0 if price.second_nano else upstream.bound(call.messages) + sum(len(t.encode()) for t in call.texts)
            nano = max(nano, price.worst_nano(bound + extra, completion, self._gateway.options.deadline_s))
        return nano, size // 3 + completion + 1


def _headers(room: Room) -> list[tuple[bytes, bytes]]:
    out = []
    for name, (limit, left, reset) in ((b"requests", room.requests), (b"tokens", room.tokens)):
        if limit >= 0:
            out += [
                (b"x-ratelimit-limit-" + name, b"%d" % limit),
                (b"x-ratelimit-remaining-" + name, b"%d" % left),
                (b"x-ratelimit-reset-" + name, b"%dms" % reset if reset < 1000 else b"%.1fs" % (reset / 1000)),
            ]
    return out


def _refusal(room: Room, worst_nano: int) -> Problem:
    who = {"key": "this key", "team": "this team"}.get(room.scope.partition(":")[0], "the project")
    what = f"{who} is over its limit of {_WHAT[room.denied]}"
    if "budget" in _WHAT[room.denied]:
        left = f"less than the {worst_nano / 1e9:.6f} USD that this call can cost at most"
        what = f"{who} has {left} left of {_WHAT[room.denied]}"
    if room.retry_ms < 0:
        # Nothing gets better by trying again: clients that read this header stop.
        return Problem(
            429, "insufficient_quota", what, code="insufficient_quota", headers=((b"x-should-retry", b"false"),)
        )
    return Problem(
        429, "rate_limit_error", f"{what}; try again in {room.retry_ms / 1000:.1f} s", code="rate_limit_exceeded",
        headers=(
            (b"retry-after-ms", b"%d" % room.retry_ms), (b"retry-after", b"%d" % max(1, -(-room.retry_ms // 1000))),
            (b"x-should-retry", b"true"),
        ),
    )  # fmt: skip
