"""What of the system prompt stands in an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from luodi.guard.check import CLEAN, About, Base, Editing, Finding, Hit, NotRun, Text, Watch
from luodi.guard.leak import LeakCheck, LeakWatch
from luodi.guard.policy import CheckPolicy, Door
from luodi.guard.verdict import EDITS

if TYPE_CHECKING:
    from luodi.guard.checks import Parts
    from luodi.guard.policy import GuardPolicy


class Leaked(Base):
    """The score is the share of the prompt that was told; 1 with a canary."""

    name: ClassVar[str] = "leak"
    doors: ClassVar[tuple[Door, ...]] = ("output",)
    edits: ClassVar[bool] = True
    needs_threshold: ClassVar[bool] = True
    default: ClassVar[CheckPolicy] = CheckPolicy(threshold=0.1)
    reason: ClassVar[tuple[str, str]] = ("the answer would reveal internal instructions", "回答会泄露内部指令")

    def __init__(self, parts: Parts, policy: GuardPolicy) -> None:
        protected = bool(parts.system_prompt or parts.canaries)
        self._check = LeakCheck(parts.system_prompt, parts.canaries) if protected else None
        self._whole = policy.of(self.name).action in EDITS  # what is masked must be seen whole
        self.version = "1" if protected else ""

    def look(self, text: Text) -> Finding:
        if self._check is None:
            raise NotRun("not configured")
        leak = self._check.check(text.raw)
        if not leak.share:
            return CLEAN

        def edit(editing: Editing) -> str:
            said = editing(Hit(leak.share))
            if said is None:
                return text.raw
            out = text.raw
            for start, end in reversed(leak.spans):
                out = f"{out[:start]}{said or '[SYSTEM_PROMPT]'}{out[end:]}"
            return out

        return Finding([Hit(leak.share)], "canary" if leak.canary else f"{len(leak.spans)} runs", edit=edit)

    def watch(self, about: About, editing: Editing) -> Watch | None:
        if self._check is None:
            raise NotRun("not configured")
        return None if self._whole else _Watch(LeakWatch(self._check))


class _Watch:
    edits = False

    def __init__(self, watch: LeakWatch) -> None:
        self._watch = watch
        self._share = 0.0
        self.fresh = False

    def feed(self, piece: str) -> str:
        share = self._watch.feed(piece)
        if share > self._share:
            self._share, self.fresh = share, True
        return piece

    def finish(self) -> str:
        return ""

    def finding(self) -> Finding:
        self.fresh = False
        return Finding([Hit(self._share)]) if self._share else CLEAN
