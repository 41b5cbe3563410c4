"""How a key behaves over time: who copies the release out question by question is told of, slowed down or stopped."""

from __future__ import annotations

import time
from collections import OrderedDict
from functools import partial
from typing import TYPE_CHECKING

from luodi.gateway.call import Call, Next, Outcome, Reply
from luodi.gateway.experiment.shadow import seen as read
from luodi.gateway.problem import Problem
from luodi.guard.behaviour import BehaviourWatch, Decision, EndUsers, Seen
from luodi.store.tx import Tx

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luodi.gateway.core import Gateway

_REMEMBERED = 4096  # keys whose last call and last response are known


class Behave:
    """Judges the key of a call by what it did before. With `act: alert` nothing is refused; who wants to know is told.

    An end user that the caller names is judged alone: an application asks for many people with one key. Where hardly a
    name comes twice, they are judged together, too.
    """

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._watch: BehaviourWatch = gateway.behaviour
        self._users = EndUsers()
        self._enforce = gateway.options.behaviour.get("act") == "enforce"
        self._before: OrderedDict[str, tuple[float, str]] = OrderedDict()

    async def __call__(self, call: Call, following: Next) -> Reply:
        if call.task not in ("answer", "chat", "search") or call.principal is None or call.surface == "shadow":
            return await following(call)
        key, now = call.subject, time.time()
        decision = self._watch.decide(key, now)
        together = f"users:{call.principal.key_id}" if call.user else ""
        if together and self._users.strange(together, call.user):
            whole = self._watch.decide(together, now)
            if whole.score > decision.score:
                key, decision = together, whole
        last, response = self._before.get(key, (0.0, "allow"))
        if decision.response != response and decision.response != "allow":
            self._tell(key, decision)
        self._before[key] = (last, decision.response)  # a call that is refused does not begin the wait anew
        self._before.move_to_end(key)
        if len(self._before) > _REMEMBERED:
            self._before.popitem(last=False)
        if decision.response != "allow":
            call.behaviour = {
                "response": decision.response, "score": decision.score, "enforced": self._enforce,
                "reasons": [decision.text("en")],
            }  # fmt: skip
            if self._enforce:
                _refuse(decision, now - last)
        self._before[key] = (now, decision.response)
        call.ending.append(partial(self._ended, call, together))
        return await following(call)

    def _ended(self, call: Call, together: str, outcome: Outcome) -> None:
        canary = any(v.check == "leak" and v.detail == "canary" for v in outcome.verdicts)
        passages = [hit.chunk.row_id for hit in call.hits]
        self._watch.passages = call.served.passages if call.served is not None else 0
        seen = Seen(call.question, passages, outcome.kind == "refused", canary)
        for key in filter(None, (call.subject, together)):
            self._watch.add(key, time.time(), seen)

    def _tell(self, key: str, decision: Decision) -> None:
        about = {"subject": key, "response": decision.response, "score": round(decision.score, 3),
                 "reasons": [r.signal for r in decision.reasons]}  # fmt: skip
        self._gateway.writer.put("behaviour", about).add_done_callback(read)


def _refuse(decision: Decision, since_s: float) -> None:
    """Raises: Problem if the call may not go on now."""
    why = decision.text("en")
    if decision.response == "throttle" and since_s < decision.wait_s:
        wait = decision.wait_s - since_s
        raise Problem(
            429, "rate_limit_error", f"this key is slowed down ({why}); try again in {wait:.1f} s", code="slowed_down",
            headers=((b"retry-after", b"%d" % max(1, round(wait))), (b"x-should-retry", b"true")),
        )  # fmt: skip
    if decision.response in ("challenge", "block"):
        raise Problem(
            403, "permission_error", f"this key is held back ({why}); an administrator can let it go on",
            code="held_back",
        )  # fmt: skip


def tell(tx: Tx, items: Sequence[dict[str, object]]) -> list[None]:
    """Events of keys whose behaviour changed, in the writer's transaction."""
    from luodi.gateway.events import emit

    for about in items:
        emit(tx, "key.behaviour", dict(about))
    return [None] * len(items)
