"""What a guard checks, from which score on, and what then happens. Part of a release, so frozen."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Check = Literal["personal", "rules", "injection", "leak"]
Disposition = Literal["block", "mask", "allow_log"]
MASKABLE: frozenset[Check] = frozenset({"personal", "leak"})


class CheckPolicy(BaseModel):
    """One check.

    Attributes:
        threshold: score from which the disposition applies; for `injection`, None means the model's own
            threshold (1 % false positives on its held-out benign texts).
        action: `block` the text, `mask` the values found, or `allow_log`: only record the verdict.
        on_missing: what happens when the check could not run: `block` (fail closed) or `allow` (fail open).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    threshold: float | None = Field(default=None, ge=0.0, le=1.0)
    action: Disposition = "block"
    on_missing: Literal["block", "allow"] = "block"


class GuardPolicy(BaseModel):
    """The checks at each of the three doors, and how each is decided.

    Attributes:
        input, untrusted, output: checks that run on what a user writes, on retrieved documents and tool
            results, and on what the model answers; in this order.
        personal: score is the highest confidence of a value found.
        rules: score is 1.0 when a known template matches.
        injection: score of the attack model.
        leak: share of the system prompt that stands in the answer; 1.0 with a canary.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: tuple[Check, ...] = ("personal", "rules", "injection")
    untrusted: tuple[Check, ...] = ("personal", "rules", "injection")
    output: tuple[Check, ...] = ("personal", "leak")
    personal: CheckPolicy = CheckPolicy(threshold=0.5, action="mask")
    rules: CheckPolicy = CheckPolicy(threshold=1.0)
    injection: CheckPolicy = CheckPolicy()
    leak: CheckPolicy = CheckPolicy(threshold=0.1)

    @model_validator(mode="after")
    def _sound(self) -> Self:
        judging: tuple[Check, ...] = ("rules", "injection")
        scored: tuple[Check, ...] = ("personal", "rules", "leak")
        for check in judging:
            if self.of(check).action == "mask":
                raise ValueError(f"{check} cannot mask: it judges the whole text; use block or allow_log")
        for check in scored:
            if self.of(check).threshold is None:
                raise ValueError(f"{check} needs a threshold between 0 and 1")
        if "leak" in self.input + self.untrusted:
            raise ValueError("leak is a check of output only")
        return self

    def of(self, check: Check) -> CheckPolicy:
        """The policy of one check."""
        policies: dict[Check, CheckPolicy] = {
            "personal": self.personal, "rules": self.rules, "injection": self.injection, "leak": self.leak,
        }  # fmt: skip
        return policies[check]


def default_policy(has_detector: bool) -> GuardPolicy:
    """The policy of a release that sets none.

    A project without training data for a detector (`guard.train`) has rules only. The missing check is recorded as not
    run on every call and counted in `guard_checks_ran`; it does not refuse every call.
    """
    injection = CheckPolicy() if has_detector else CheckPolicy(on_missing="allow")
    return GuardPolicy(injection=injection)
