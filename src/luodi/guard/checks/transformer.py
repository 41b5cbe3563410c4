"""A model that costs more, behind the linear one."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from luodi.errors import LuodiError
from luodi.guard.check import CLEAN, Base, Finding, Hit, NotRun, Text
from luodi.guard.policy import CheckPolicy, Door
from luodi.guard.semantic import foreign

if TYPE_CHECKING:
    from luodi.guard.checks import Parts
    from luodi.guard.policy import GuardPolicy

_SLOW = 8  # texts in a row over the budget before it rests
_REST = 64  # texts that it then leaves to the linear model


class Transformer(Base):
    """Asked where the linear score lies in the policy's grey band, of Chinese text, and always without a linear model.

    Data that linear models can be trained on is English, so they say nothing of Chinese.

    Where it took longer than the budget eight times in a row it rests for 64 texts, and says that it did not run.
    """

    name: ClassVar[str] = "transformer"
    doors: ClassVar[tuple[Door, ...]] = ("input", "untrusted")
    default: ClassVar[CheckPolicy] = CheckPolicy(threshold=0.5, on_missing="allow")
    reason: ClassVar[tuple[str, str]] = (
        "it reads like an attempt to override the assistant's instructions",
        "其内容疑似试图篡改助手的指令",
    )

    def __init__(self, parts: Parts, policy: GuardPolicy) -> None:
        self._settings = policy.transformer
        self._linear = parts.attack_model
        self._lock = threading.Lock()
        self._slow = self._rest = 0
        self._model: Any = parts.transformer
        self._problem = "not configured"
        if self._model is None and self._settings.folder:
            try:
                from luodi.guard.deep import DeepModel

                self._model = DeepModel(Path(self._settings.folder))
            except LuodiError as error:
                self._problem = error.message
        self.version = self._model.version if self._model is not None else ""

    @property
    def slow(self) -> bool:
        return self._model is not None

    def look(self, text: Text) -> Finding:
        if self._model is None:
            raise NotRun(self._problem)
        low, high = self._settings.band
        known = self._linear is not None and not foreign(text.raw)
        if known and self._linear is not None and not low <= self._linear.score_grams(text.grams) <= high:
            return CLEAN
        with self._lock:
            if self._rest:
                self._rest -= 1
                raise NotRun(f"slower than {self._settings.budget_ms:g} ms")
        score, seconds = self._model.score(text.raw)
        with self._lock:
            self._slow = self._slow + 1 if seconds * 1000 > self._settings.budget_ms else 0
            if self._slow >= _SLOW:
                self._slow, self._rest = 0, _REST
        return Finding([Hit(score)], f"{seconds * 1000:.0f} ms")
