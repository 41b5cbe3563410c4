"""The gateway is this list. A call goes down it, its reply comes back up; no surface can pass a step by.

restore       out: values behind pseudonyms come back, for the caller that gave them; nothing further in sees them
record        on the way out: what became of the call, settled and durable before the caller is told it is done
authenticate  who calls
choose        which release serves this caller
behave        how the key behaves over time; not in the list where the project turns it off
review        out: an answer for which too little speaks waits for a person; not in the list where the policy asks none
admit         how many calls run at once, and who waits
limit         requests, tokens and money: the worst case is held
label         out: says that the text was generated, and by what; refusals too
guard         in: attacks refused, personal data masked · out: personal data and leaks
cache         the same question of the same release
knowledge     passages for the question, checked as untrusted text
generate      a model writes; sentences of an answer are checked against their passages before they are passed on
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from luodi.gateway.call import Call, Next, Reply, Step
from luodi.gateway.steps.admit import Admit
from luodi.gateway.steps.authenticate import Authenticate
from luodi.gateway.steps.behave import Behave
from luodi.gateway.steps.cache import Cache
from luodi.gateway.steps.choose import Choose
from luodi.gateway.steps.generate import Generate
from luodi.gateway.steps.guard import GuardStep
from luodi.gateway.steps.knowledge import Knowledge
from luodi.gateway.steps.label import Label
from luodi.gateway.steps.limit import Limit
from luodi.gateway.steps.restore import Restore
from luodi.gateway.steps.review import Review

if TYPE_CHECKING:
    from luodi.gateway.core import Gateway


def steps(gateway: Gateway) -> list[Step]:
    """The steps in order."""
    return [
        Restore(gateway),
        gateway.record,
        Authenticate(gateway),
        Choose(gateway),
        *([Behave(gateway)] if gateway.options.behaviour.get("act") != "off" else []),
        *([Review(gateway)] if gateway.options.review_below > 0 else []),
        Admit(gateway),
        Limit(gateway),
        Label(gateway),
        GuardStep(gateway),
        Cache(gateway),
        Knowledge(gateway),
        Generate(gateway),
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
