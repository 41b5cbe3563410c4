"""The checks there are, by name: our own, and those of other packages (entry points `luodi.checks`).

A check is a class that takes the guard's parts and its policy; see `luodi.guard.check.Check`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from luodi.guard.check import Check
from luodi.guard.checks.business import Business
from luodi.guard.checks.conversation import Conversation
from luodi.guard.checks.disclosed import Disclosed
from luodi.guard.checks.injection import Injection
from luodi.guard.checks.known import Known
from luodi.guard.checks.leaked import Leaked
from luodi.guard.checks.moderated import Moderated
from luodi.guard.checks.names import Names
from luodi.guard.checks.personal import Personal
from luodi.guard.checks.repeated import Repeated
from luodi.guard.checks.transformer import Transformer

if TYPE_CHECKING:
    from luodi.guard.attacks import AttackModel
    from luodi.guard.business import LiveRules, Rules
    from luodi.guard.deep import DeepModel
    from luodi.guard.moderation import CategoryModel, Words
    from luodi.guard.policy import GuardPolicy
    from luodi.guard.semantic import SemanticModel
    from luodi.guard.training_text import TrainingText

OWN = (Personal, Known, Injection, Leaked, Disclosed, Repeated, Names, Business, Moderated, Conversation, Transformer)


@dataclass(frozen=True, slots=True)
class Parts:
    """What a release brings for its checks; a check whose part is missing does not run.

    Attributes:
        attack_model: judges attacks.
        system_prompt: protected from being told.
        canaries: strings that stand only in the system prompt, at least six letters or digits each.
        training: index of what the model learnt.
        rules: business rules.
        words: library of words for moderation.
        transformer: a classifier of attacks instead of that in the policy's folder.
        categories: model of the categories of moderation.
    """

    attack_model: AttackModel | None = None
    system_prompt: str = ""
    canaries: tuple[str, ...] = ()
    training: TrainingText | None = None
    rules: Rules | LiveRules | None = None
    words: Words | None = None
    categories: CategoryModel | None = None
    transformer: DeepModel | SemanticModel | None = None


@cache
def known() -> dict[str, type[Check]]:
    """Every check by its name; one of another package does not replace one of ours."""
    found: dict[str, type[Check]] = {kind.name: kind for kind in OWN}
    for point in entry_points(group="luodi.checks"):
        found.setdefault(point.name, point.load())
    return found


def build(name: str, parts: Parts, policy: GuardPolicy) -> Check:
    """The check of this name for one guard."""
    make: Callable[[Parts, GuardPolicy], Check] = known()[name]
    return make(parts, policy)
