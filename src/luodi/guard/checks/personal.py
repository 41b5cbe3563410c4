"""Personal data and secrets; a category is a type of data."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from luodi.guard.check import CLEAN, About, Base, Editing, Finding, Hit, Text, Watch
from luodi.guard.item import PersonalItem
from luodi.guard.personal import Replace, mask
from luodi.guard.policy import CheckPolicy
from luodi.guard.privacy import Privacy
from luodi.guard.stream import HoldBack

if TYPE_CHECKING:
    from luodi.guard.checks import Parts
    from luodi.guard.policy import GuardPolicy


class Personal(Base):
    """`mask` deals with each type as the policy's `privacy` says; on the way in pseudonyms come from the vault."""

    name: ClassVar[str] = "personal"
    edits: ClassVar[bool] = True
    needs_threshold: ClassVar[bool] = True
    default: ClassVar[CheckPolicy] = CheckPolicy(threshold=0.5, action="mask")
    reason: ClassVar[tuple[str, str]] = ("it contains personal data or a secret", "其中含有个人信息或密钥")

    def __init__(self, parts: Parts, policy: GuardPolicy) -> None:
        threshold = policy.of(self.name).threshold
        self._privacy = Privacy(policy.privacy.model_copy(update={"threshold": threshold or 0.0}))
        self.version = self._privacy.version

    @property
    def slow(self) -> bool:
        return bool(self._privacy.policy.engines)

    def look(self, text: Text) -> Finding:
        items = self._privacy.find(text.raw)
        if not items:
            return CLEAN
        vault = text.about.vault if text.door == "input" else None

        def edit(editing: Editing) -> str:
            return mask(text.raw, items, _replacing(self._privacy.replacement(vault), editing))[0]

        return _found(items, edit)

    def watch(self, about: About, editing: Editing) -> Watch | None:
        hold = self._privacy.watch(None)
        hold._replace = _replacing(hold._replace, editing)
        return _Watch(hold)


def _replacing(replace: Replace, editing: Editing) -> Replace:
    def instead(item: PersonalItem) -> str:
        said = editing(Hit(item.score, item.kind))
        return item.text if said is None else said or replace(item)

    return instead


def _found(items: list[PersonalItem], edit: object = None) -> Finding:
    scores: dict[str, float] = {}
    for item in items:
        scores[item.kind] = max(item.score, scores.get(item.kind, 0.0))
    kinds = sorted(scores)
    detail = ", ".join(f"{sum(item.kind == kind for item in items)} {kind}" for kind in kinds)
    return Finding([Hit(scores[kind], kind) for kind in kinds], detail, edit=edit)  # type: ignore[arg-type]


class _Watch:
    edits = True

    def __init__(self, hold: HoldBack) -> None:
        self._hold = hold
        self._seen = 0

    @property
    def fresh(self) -> bool:
        return len(self._hold.items) > self._seen

    def feed(self, piece: str) -> str:
        return self._hold.feed(piece)

    def finish(self) -> str:
        return self._hold.finish()

    def finding(self) -> Finding:
        self._seen = len(self._hold.items)
        return _found(self._hold.items)
