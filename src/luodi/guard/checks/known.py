"""Known templates of attacks; a category is a rule's id."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from luodi.guard.check import CLEAN, Base, Finding, Hit, Text
from luodi.guard.policy import CheckPolicy
from luodi.guard.rules import RULES_VERSION, match_rules

if TYPE_CHECKING:
    from luodi.guard.checks import Parts
    from luodi.guard.policy import GuardPolicy


class Known(Base):
    """Score 1 for a template that matches any normal form of the text."""

    name: ClassVar[str] = "rules"
    needs_threshold: ClassVar[bool] = True
    default: ClassVar[CheckPolicy] = CheckPolicy(threshold=1.0)
    reason: ClassVar[tuple[str, str]] = ("it matches a known attack on the assistant", "其内容符合已知的攻击模板")

    def __init__(self, parts: Parts, policy: GuardPolicy) -> None:
        self.version = RULES_VERSION

    def look(self, text: Text) -> Finding:
        hits = match_rules(text.forms)
        if not hits:
            return CLEAN
        detail = ", ".join(f"{hit.rule.id}@{hit.rule.version}" for hit in hits)
        return Finding([Hit(1.0, hit.rule.id) for hit in hits], detail)
