"""What becomes of each type of personal data: one implementation for training data and for live traffic."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from luodi.guard.entities import ENGINES, ENTITY_KINDS, Entities
from luodi.guard.item import PersonalItem
from luodi.guard.personal import KINDS, Replace, candidates, mask, named, resolve
from luodi.guard.stream import HoldBack
from luodi.guard.vault import Vault

Disposal = Literal["mask", "drop", "pseudonym", "keep"]
TYPES = (*KINDS, *ENTITY_KINDS)
VERSION = "2"


class PrivacyPolicy(BaseModel):
    """Dispositions by type.

    Attributes:
        default: of types that `kinds` does not name. `mask` writes the type instead of the value, `drop` removes it (of
            training data: the whole section), `pseudonym` writes a placeholder that its owner gets back, `keep` only
            counts it.
        kinds: by type; `location` is kept if it is not named, since a city alone says nothing about a person.
        engines: of `entities.ENGINES`, for names, organisations and addresses; none by default.
        threshold: score from which a value counts.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    default: Disposal = "mask"
    kinds: dict[str, Disposal] = {}
    engines: tuple[str, ...] = ()
    threshold: float = Field(0.5, ge=0.0, le=1.0)

    @field_validator("kinds")
    @classmethod
    def _known_types(cls, kinds: dict[str, Disposal]) -> dict[str, Disposal]:
        if unknown := [kind for kind in kinds if kind not in TYPES]:
            raise ValueError(f"no type {unknown[0]!r}; known: {', '.join(TYPES)}")
        return kinds

    @field_validator("engines")
    @classmethod
    def _known_engines(cls, engines: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := [name for name in engines if name not in ENGINES]:
            raise ValueError(f"no engine {unknown[0]!r}; known: {', '.join(ENGINES)}")
        return engines

    def of(self, kind: str) -> Disposal:
        """What becomes of a type."""
        return self.kinds.get(kind, "keep" if kind == "location" else self.default)


class Privacy:
    """Finds personal data and deals with it as a policy says. Safe between threads; engines are loaded here.

    Attributes:
        missing: engines that do not run, and why.
    """

    def __init__(self, policy: PrivacyPolicy) -> None:
        self.policy = policy
        self._entities = Entities(policy.engines) if policy.engines else None
        self.version = VERSION + (f"; {self._entities.version}" if self._entities and self._entities.version else "")

    @property
    def missing(self) -> dict[str, str]:
        return self._entities.missing if self._entities else {}

    def find(self, text: str) -> list[PersonalItem]:
        """Values that count, without overlap, by place; also those that are kept."""
        found = candidates(text)
        if self._entities is not None:
            found = sorted([*found, *self._entities.find(text)], key=lambda item: (item.start, item.end, item.kind))
        return resolve(item for item in found if item.score >= self.policy.threshold)

    def apply(self, text: str, vault: Vault | None = None) -> tuple[str, list[PersonalItem]]:
        """`text` with every value dealt with, and the values. Without a vault a pseudonym is a mask."""
        return mask(text, self.find(text), self.replacement(vault))

    def watch(self, vault: Vault | None = None) -> HoldBack:
        """`apply` on a stream: the same output for every chunking."""
        threshold = self.policy.threshold

        def scan(text: str, start: int) -> list[PersonalItem]:
            return [item for item in candidates(text, start) if item.score >= threshold]

        finder = self._entities.watch() if self._entities is not None else None
        return HoldBack(scan, replace=self.replacement(vault), finder=finder)

    def replacement(self, vault: Vault | None) -> Replace:
        """What stands for a value."""
        policy = self.policy

        def instead(item: PersonalItem) -> str:
            disposal = policy.of(item.kind)
            if disposal == "pseudonym" and vault is not None:
                return vault.hide(item)
            if vault is not None:
                vault.note(item)
            return item.text if disposal == "keep" else "" if disposal == "drop" else named(item)

        return instead

    def drops(self, items: list[PersonalItem]) -> bool:
        """Whether training data with these values is left out."""
        return any(self.policy.of(item.kind) == "drop" for item in items)
