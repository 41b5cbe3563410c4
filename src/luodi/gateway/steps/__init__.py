"""The gateway is this list. A call goes down it, its reply comes back up; no surface can pass a step by.

record        on the way out: what became of the call, durable before the caller is told it is done
authenticate  who calls
label         out: says that the text was generated, and by what; refusals too
guard         in: attacks refused, personal data masked · out: personal data and leaks
cache         the same question of the same release
knowledge     passages for the question, checked as untrusted text
answer        the engine writes, every sentence is checked against its passage before it is passed on
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from luodi.gateway.call import Call, Next, Reply, Step
from luodi.gateway.steps.answer import Answer
from luodi.gateway.steps.authenticate import Authenticate
from luodi.gateway.steps.cache import Cache
from luodi.gateway.steps.guard import GuardStep
from luodi.gateway.steps.knowledge import Knowledge
from luodi.gateway.steps.label import Label
from luodi.gateway.steps.record import Record

if TYPE_CHECKING:
    from luodi.gateway.core import Gateway


def steps(gateway: Gateway) -> list[Step]:
    """The steps in order."""
    return [
        Record(gateway),
        Authenticate(gateway),
        Label(gateway),
        GuardStep(gateway),
        Cache(gateway),
        Knowledge(gateway),
        Answer(gateway),
    ]


def chain(order: list[Step]) -> Next:
    """One function out of a list of steps."""

    async def end(call: Call) -> Reply:
        raise AssertionError("the last step answers")

    run: Next = end
    for step in reversed(order):

        def bound(call: Call, step: Step = step, following: Next = run) -> object:
            return step(call, following)

        run = bound  # type: ignore[assignment]
    return run
