"""Attacks that are spread over the turns of a conversation."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from luodi.guard.check import CLEAN, Base, Finding, Hit, NotRun, Text
from luodi.guard.conversation import TURNS, Risk
from luodi.guard.policy import CheckPolicy, Door
from luodi.guard.rules import match_rules

if TYPE_CHECKING:
    from luodi.guard.checks import Parts
    from luodi.guard.policy import GuardPolicy


class Conversation(Base):
    """The score of the last turns together; nothing for a first turn, which other checks judge."""

    name: ClassVar[str] = "conversation"
    doors: ClassVar[tuple[Door, ...]] = ("input",)
    last_only: ClassVar[bool] = True
    default: ClassVar[CheckPolicy] = CheckPolicy(on_missing="allow")
    reason: ClassVar[tuple[str, str]] = (
        "the conversation as a whole reads like an attempt to override the assistant's instructions",
        "整个对话疑似试图篡改助手的指令",
    )

    def __init__(self, parts: Parts, policy: GuardPolicy) -> None:
        model = parts.attack_model
        self._model = model
        self._threshold = model.conversation if model is not None else 0.0
        self._risk = Risk(model) if model is not None and self._threshold else None
        self.version = model.version if model is not None and self._risk is not None else ""

    def look(self, text: Text) -> Finding:
        if self._risk is None or self._model is None:
            raise NotRun("the model knows no conversations")
        if not text.about.turns:
            return CLEAN
        turns = [*text.about.turns, text.raw]
        hits = match_rules([self._risk.joined(turns)])
        if hits:
            return Finding([Hit(1.0)], ", ".join(hit.rule.id for hit in hits), self._threshold)
        score = self._risk.score(turns, self._model.score_grams(text.grams))
        return Finding([Hit(score)], f"{min(len(turns), TURNS)} turns", self._threshold)
