"""`gates.yaml`: the thresholds, fixed before the model is measured."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import Field, model_validator

from luodi.project.model import Part

Promise = Literal["compliance", "security", "data", "fit", "cost"]
PROMISES: tuple[Promise, ...] = ("compliance", "security", "data", "fit", "cost")


class Gate(Part):
    """A bound on one measurement, judged on the pessimistic end of its interval."""

    measure: str = Field(description="name of the measurement, e.g. retrieval_recall_at_5")
    at_least: float | None = Field(None, description="lowest value that passes")
    at_most: float | None = Field(None, description="highest value that passes")
    margin: float | None = Field(None, ge=0, description="may be worse than the live release by no more than this")
    judge: Literal["interval", "value"] = Field(
        "interval", description="the interval's pessimistic end, or the value itself"
    )
    judge_recall: float = Field(
        0.8, ge=0, le=1, description="recall that the judge of the measurement needs, where one judged it; 0: any judge"
    )
    required: bool = Field(True, description="a gate that is not required is shown and does not block")

    @model_validator(mode="after")
    def _one_bound(self) -> Gate:
        if self.at_least is None and self.at_most is None and self.margin is None:
            raise ValueError("a gate needs at_least, at_most or margin")
        return self


class Waiver(Part):
    """Lets a release through one gate that it does not pass, in the name of a person, until a day."""

    measure: str = Field(description="the gate that is waived")
    role: str = Field(min_length=1, description="in what role the person decides, e.g. head of safety")
    person: str = Field(min_length=1, description="who answers for it")
    reason: str = Field(min_length=1, description="why")
    expires: date = Field(strict=False, description="the last day on which it counts, e.g. 2027-01-31")


class Gates(Part):
    """A whole `gates.yaml`."""

    gates: list[Gate] = Field([])
    waivers: list[Waiver] = Field(
        [], description="gates that a named person lets a release through, with a reason and a last day"
    )
    multiplicity: Literal["none", "holm"] = Field(
        "none", description="holm: every gate is a claim of its own, and all of them hold at once with the confidence"
    )

    @model_validator(mode="after")
    def _waives_a_gate(self) -> Gates:
        known = {g.measure for g in self.gates}
        for waiver in self.waivers:
            if waiver.measure not in known:
                raise ValueError(f"a waiver of {waiver.measure!r}, for which there is no gate")
        return self
