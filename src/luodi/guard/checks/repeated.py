"""Answers that repeat the training set word for word."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from luodi.guard.check import CLEAN, About, Base, Editing, Finding, Hit, NotRun, Text, Watch
from luodi.guard.policy import CheckPolicy, Door
from luodi.guard.training_text import LONGEST, TrainingText, TrainingWatch

if TYPE_CHECKING:
    from luodi.guard.checks import Parts
    from luodi.guard.policy import GuardPolicy


class Repeated(Base):
    """The score is the longest run in tokens as a share of 48, at most 1: the default threshold is 24 tokens."""

    name: ClassVar[str] = "repetition"
    doors: ClassVar[tuple[Door, ...]] = ("output",)
    needs_threshold: ClassVar[bool] = True
    default: ClassVar[CheckPolicy] = CheckPolicy(threshold=0.5, action="log", on_missing="allow")
    reason: ClassVar[tuple[str, str]] = ("the answer repeats its training text", "回答复述了训练数据原文")

    def __init__(self, parts: Parts, policy: GuardPolicy) -> None:
        self._training = parts.training
        self.version = self._training.version if self._training is not None else ""

    def look(self, text: Text) -> Finding:
        return _found(self._index().longest(text.raw, text.about.shown))

    def watch(self, about: About, editing: Editing) -> Watch | None:
        return _Watch(self._index().watch(about.shown))

    def _index(self) -> TrainingText:
        if self._training is None:
            raise NotRun("not configured")
        return self._training


def _found(tokens: int) -> Finding:
    return Finding([Hit(min(1.0, tokens / (2 * LONGEST)))], f"{tokens} tokens") if tokens else CLEAN


class _Watch:
    edits = False

    def __init__(self, watch: TrainingWatch) -> None:
        self._watch = watch
        self._told = 0

    @property
    def fresh(self) -> bool:
        return self._watch.longest > self._told

    def feed(self, piece: str) -> str:
        self._watch.feed(piece)
        return piece

    def finish(self) -> str:
        self._watch.finish()
        return ""

    def finding(self) -> Finding:
        self._told = self._watch.longest
        return _found(self._told)
