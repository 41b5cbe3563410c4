"""A status for every control: it conforms, whole or in part, it does not, does not apply, or nothing shows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from luodi.release.compliance.evidence import Case, Found, look
from luodi.release.compliance.packs import Control, Pack

Status = Literal["conforms", "in_part", "does_not", "not_applicable", "no_evidence"]
STATUSES: tuple[Status, ...] = ("conforms", "in_part", "does_not", "not_applicable", "no_evidence")
"""in_part: it conforms in the part that evidence can show; the rest of the control is left to people."""


@dataclass(frozen=True, slots=True)
class Assessed:
    """A control with its status.

    Attributes:
        found: what each of its bindings found.
        reason: why it does not apply, as the project says.
    """

    control: Control
    status: Status
    found: tuple[Found, ...] = ()
    reason: str = ""

    @property
    def people(self) -> bool:
        return self.control.automatic == "part"

    @property
    def automatic(self) -> bool:
        """Whether something was found in this release that speaks for it or against it."""
        return any(found.automatic for found in self.found)


@dataclass(frozen=True, slots=True)
class Assessment:
    """A pack, assessed."""

    pack: Pack
    controls: tuple[Assessed, ...]

    @property
    def counts(self) -> dict[str, int]:
        counted = Counter(each.status for each in self.controls)
        return {status: counted[status] for status in STATUSES}

    @property
    def automatic_share(self) -> float:
        """Controls with automatic evidence, of those that apply."""
        apply = [each for each in self.controls if each.status != "not_applicable"]
        return sum(each.automatic for each in apply) / len(apply) if apply else 0.0

    def as_dict(self) -> dict[str, Any]:
        return {
            "pack": self.pack.name,
            "title": self.pack.title.model_dump(),
            "counts": self.counts,
            "automatic_share": round(self.automatic_share, 4),
            "controls": [_control(each) for each in self.controls],
        }


def _control(each: Assessed) -> dict[str, Any]:
    control = each.control
    return {
        "id": control.id,
        "instrument": control.instrument,
        "clause": control.clause,
        "in_force": control.in_force,
        "requirement": control.requirement.model_dump(),
        "basis": control.basis,
        "status": each.status,
        "reason": each.reason,
        "left_to_people": control.artefact if each.people else "",
        "evidence": [
            {
                "anchor": found.anchor,
                "kind": found.kind,
                "state": found.state,
                "what": found.title._asdict(),
                "found": found.text._asdict(),
                "detail": dict(found.detail),
            }
            for found in each.found
        ],
    }


def assess(pack: Pack, case: Case, not_applicable: Mapping[str, str] | None = None) -> Assessment:
    """Every control of a pack against a release.

    Args:
        not_applicable: reasons of the project by control id.

    A control conforms only if all that it asks for was found in this very release and met: a promise of the product, or
    a figure whose interval reaches over the bound, shows nothing.
    """
    declared = not_applicable or {}
    return Assessment(pack, tuple(_assess(control, case, declared.get(control.id, "")) for control in pack.controls))


def _assess(control: Control, case: Case, reason: str) -> Assessed:
    if reason:
        return Assessed(control, "not_applicable", (), reason)
    found = tuple(look(binding, case) for binding in control.evidence)
    return Assessed(control, _status(control, found), found)


def _status(control: Control, found: Sequence[Found]) -> Status:
    states = {each.state for each in found}
    if "not_met" in states:
        return "does_not"
    if "met" not in states or states & {"missing", "unsure"}:
        return "no_evidence"
    return "conforms" if control.automatic == "whole" else "in_part"
