"""Which upstream of several is tried first. The pool has left out those that may not, can't, or are not well."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from luodi.evaluate.routing import Router, features
from luodi.gateway.call import Call
from luodi.gateway.upstream.base import Upstream
from luodi.gateway.upstream.breaker import Breaker

_EXPLORE = 0.02  # of calls, so that an upstream that was slow once is not left alone for ever
Members = Sequence[tuple[Upstream, Breaker]]


@dataclass(frozen=True, slots=True)
class Choice:
    """An upstream in the order of trying, and the reason for its place.

    `about` goes into the record: `estimated_nano_usd`, `saved_nano_usd` against the dearest, and what was known.
    """

    upstream: Upstream
    reason: str
    about: dict[str, Any]


class Policy(Protocol):
    """Puts the upstreams that may answer a call in order."""

    def __call__(self, call: Call, upstreams: Members) -> list[Choice]: ...


def in_order(call: Call, upstreams: Members) -> list[Choice]:
    """The project file's order."""
    return [_choice(u, "first in order" if n == 0 else "next in order") for n, (u, _) in enumerate(upstreams)]


def by_cost(call: Call, upstreams: Members) -> list[Choice]:
    """The cheapest by its price and the length of the call; unknown prices last."""
    costs = {id(u): estimate(call, u, b) for u, b in upstreams}
    known = [c for c in costs.values() if c is not None]
    dearest = max(known, default=0)

    def choice(place: int, u: Upstream) -> Choice:
        cost = costs[id(u)]
        if cost is None:
            return _choice(u, "its price is not known")
        reason = "next cheapest" if place else "cheapest"
        return _choice(u, reason, estimated_nano_usd=cost, saved_nano_usd=dearest - cost)

    order = sorted(upstreams, key=lambda m: (costs[id(m[0])] is None, costs[id(m[0])] or 0))
    return [choice(place, u) for place, (u, _) in enumerate(order)]


def by_latency(call: Call, upstreams: Members) -> list[Choice]:
    """The one whose first piece came soonest lately; one that was not tried yet goes first."""
    if len(upstreams) > 1 and random.random() < _EXPLORE:
        mixed = random.sample(list(upstreams), len(upstreams))
        return [_choice(u, "tried to see how quick it is") for u, _ in mixed]
    order = sorted(upstreams, key=lambda m: m[1].latency_ms)
    return [_choice(u, "quickest lately", latency_ms=round(b.latency_ms)) for u, b in order]


def by_load(call: Call, upstreams: Members) -> list[Choice]:
    """The one with the fewest calls in flight from here, then the quicker."""
    order = sorted(upstreams, key=lambda m: (m[1].in_flight, m[1].latency_ms))
    return [_choice(u, "least busy", in_flight=b.in_flight) for u, b in order]


class ByDifficulty:
    """The small model where it was measured to be good enough, the large one where not.

    The first upstream is the small one, the second the large one.
    """

    def __init__(self, router: Router) -> None:
        self._router = router

    def __call__(self, call: Call, upstreams: Members) -> list[Choice]:
        if call.task != "answer":
            return in_order(call, upstreams[::-1])
        router = self._router
        gain = router.gain(features(call.question, call.hits, call.language))
        easy = gain <= router.threshold
        large, small = round(router.large_usd * 1e9), round(router.small_usd * 1e9)
        about: dict[str, Any] = {"gain": round(gain, 4)}
        costs = {"small": small, "large": large}
        names = ("small", "large") if easy else ("large", "small")
        out = []
        for n, name in enumerate(names):
            found = next((u for u, _ in upstreams if u.name.endswith("/" + name)), None)
            if found is None:
                continue
            reason = "the other model is not well" if n else "easy" if easy else "hard"
            out.append(_choice(found, reason, **about, estimated_nano_usd=costs[name],
                               saved_nano_usd=large - costs[name]))  # fmt: skip
        return out


def estimate(call: Call, upstream: Upstream, breaker: Breaker) -> int | None:
    """Nano-dollars that a call is expected to cost; None if no price is known.

    Half of the longest answer is expected; of a machine, the time that calls took lately.
    """
    price = upstream.price
    if not price.known:
        return None
    if price.second_nano:
        return round(price.second_nano * (breaker.took_ms or 1000.0) / 1000)
    prompt = sum(len(m.content) for m in call.messages) // 3 + 8
    return price.tokens_nano(prompt, call.sampling.max_tokens // 2)


def _choice(upstream: Upstream, reason: str, **about: Any) -> Choice:
    return Choice(upstream, reason, about)


POLICIES: dict[str, Policy] = {
    "order": in_order,
    "cost": by_cost,
    "latency": by_latency,
    "load": by_load,
}
