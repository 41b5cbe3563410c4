"""Whether the engines that the policy asks for do run: that one does not is told, and may close the door."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from luodi.guard.check import CLEAN, Base, Finding, NotRun, Text
from luodi.guard.policy import CheckPolicy
from luodi.guard.privacy import Privacy

if TYPE_CHECKING:
    from luodi.guard.checks import Parts
    from luodi.guard.policy import GuardPolicy


class Names(Base):
    """`personal` goes on without an engine that is missing; this says which and why."""

    name: ClassVar[str] = "names"
    default: ClassVar[CheckPolicy] = CheckPolicy(threshold=1.0)
    reason: ClassVar[tuple[str, str]] = ("names could not be looked for", "无法检查姓名")

    def __init__(self, parts: Parts, policy: GuardPolicy) -> None:
        self._privacy = Privacy(policy.privacy)
        self.version = "" if self._privacy.missing else self._privacy.version

    def look(self, text: Text) -> Finding:
        if missing := self._privacy.missing:
            raise NotRun("; ".join(f"{name}: {reason}" for name, reason in sorted(missing.items())))
        return CLEAN
