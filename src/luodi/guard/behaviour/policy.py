"""From where on a key's behaviour counts, and what then happens."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Signal = Literal["volume", "diversity", "coverage", "refusals", "canary"]
Response = Literal["allow", "alert", "throttle", "challenge", "block"]


class BehaviourPolicy(BaseModel):
    """Each signal grows from 0 to 1 at its limit; together they make a score from 0 to 1.

    Attributes:
        calls_hour: calls in an hour at which `volume` is full.
        distinct_hour: different questions in an hour at which `diversity` is full.
        coverage: share of the release's passages, reached within a day, at which `coverage` is full.
        refusals: refused calls in ten minutes at which `refusals` is full, if they are a tenth of its calls or more.
        alert, throttle, challenge, block: scores from which each holds; the strictest counts.
        throttle_s: seconds to wait between calls at the score of `throttle`; more above it, up to four times.
        keys: how many keys are remembered; the one that was silent longest is forgotten first.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    calls_hour: int = Field(default=300, ge=1)
    distinct_hour: int = Field(default=150, ge=1)
    coverage: float = Field(default=0.5, gt=0.0, le=1.0)
    refusals: int = Field(default=10, ge=1)
    alert: float = Field(default=0.5, gt=0.0, le=1.0)
    throttle: float = Field(default=0.6, gt=0.0, le=1.0)
    challenge: float = Field(default=0.75, gt=0.0, le=1.0)
    block: float = Field(default=0.9, gt=0.0, le=1.0)
    throttle_s: float = Field(default=5.0, gt=0.0)
    keys: int = Field(default=2048, ge=1)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.alert <= self.throttle <= self.challenge <= self.block:
            raise ValueError("alert, throttle, challenge and block must not fall in this order")
        return self

    def response(self, score: float) -> Response:
        """What becomes of a key with this score."""
        if score >= self.block:
            return "block"
        if score >= self.challenge:
            return "challenge"
        if score >= self.throttle:
            return "throttle"
        return "alert" if score >= self.alert else "allow"
