"""Personal data in an answer that its caller did not give: it came from somewhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from luodi.guard.check import CLEAN, About, Base, Editing, Finding, Hit, NotRun, Text, Watch
from luodi.guard.item import PersonalItem
from luodi.guard.policy import CheckPolicy, Door
from luodi.guard.privacy import Privacy
from luodi.guard.stream import HoldBack
from luodi.guard.vault import Vault
from luodi.guard.verdict import STOPS

if TYPE_CHECKING:
    from luodi.guard.checks import Parts
    from luodi.guard.policy import GuardPolicy


class Disclosed(Base):
    """A category is a type of data. `personal` masks such a value in any case; this tells of it, or ends the answer."""

    name: ClassVar[str] = "disclosure"
    doors: ClassVar[tuple[Door, ...]] = ("output",)
    needs_threshold: ClassVar[bool] = True
    default: ClassVar[CheckPolicy] = CheckPolicy(threshold=0.5, action="log", on_missing="allow")
    reason: ClassVar[tuple[str, str]] = ("the answer holds personal data of somebody else", "回答含有他人的个人信息")

    def __init__(self, parts: Parts, policy: GuardPolicy) -> None:
        own = policy.of(self.name)
        self._privacy = Privacy(policy.privacy.model_copy(update={"threshold": own.threshold or 0.0}))
        self._stops = bool({own.action, *(part.action for part in own.categories.values())} & set(STOPS))
        self.version = self._privacy.version

    def look(self, text: Text) -> Finding:
        return _found(self._privacy.find(text.raw), _vault(text.about))

    def watch(self, about: About, editing: Editing) -> Watch | None:
        vault = _vault(about)
        # to tell of it, one look at the whole text is cheaper
        return _Watch(self._privacy.watch(None), vault) if self._stops else None


def _vault(about: About) -> Vault:
    if about.vault is None:
        raise NotRun("nothing is known of what the caller gave")
    return about.vault


def _found(items: list[PersonalItem], vault: Vault) -> Finding:
    others = [item for item in items if not vault.given(item)]
    if not others:
        return CLEAN
    scores: dict[str, float] = {}
    for item in others:
        scores[item.kind] = max(item.score, scores.get(item.kind, 0.0))
    detail = ", ".join(f"{sum(item.kind == kind for item in others)} {kind}" for kind in sorted(scores))
    return Finding([Hit(scores[kind], kind) for kind in sorted(scores)], detail)


class _Watch:
    edits = False

    def __init__(self, hold: HoldBack, vault: Vault) -> None:
        self._hold, self._vault, self._seen = hold, vault, 0

    @property
    def fresh(self) -> bool:
        return len(self._hold.items) > self._seen

    def feed(self, piece: str) -> str:
        self._hold.feed(piece)
        return piece

    def finish(self) -> str:
        self._hold.finish()
        return ""

    def finding(self) -> Finding:
        self._seen = len(self._hold.items)
        return _found(self._hold.items, self._vault)
