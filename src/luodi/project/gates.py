"""`gates.yaml`: the thresholds, fixed before the model is measured."""

from __future__ import annotations

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
    required: bool = Field(True, description="a gate that is not required is shown and does not block")

    @model_validator(mode="after")
    def _one_bound(self) -> Gate:
        if self.at_least is None and self.at_most is None and self.margin is None:
            raise ValueError("a gate needs at_least, at_most or margin")
        return self


class Gates(Part):
    """A whole `gates.yaml`."""

    gates: list[Gate] = Field([])
