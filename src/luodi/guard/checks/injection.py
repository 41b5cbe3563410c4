"""The trained model of attacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from luodi.guard.check import Base, Finding, Hit, NotRun, Text

if TYPE_CHECKING:
    from luodi.guard.checks import Parts
    from luodi.guard.policy import GuardPolicy


class Injection(Base):
    """The worst window of the worst normal form of a text."""

    name: ClassVar[str] = "injection"
    reason: ClassVar[tuple[str, str]] = (
        "it reads like an attempt to override the assistant's instructions",
        "其内容疑似试图篡改助手的指令",
    )

    def __init__(self, parts: Parts, policy: GuardPolicy) -> None:
        self._model = parts.attack_model
        self.version = self._model.version if self._model else ""

    def look(self, text: Text) -> Finding:
        if self._model is None:
            raise NotRun("not configured")
        score = self._model.score_grams(text.grams)
        return Finding([Hit(score)], threshold=self._model.threshold)
