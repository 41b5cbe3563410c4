"""The form of `rules.yaml`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

LONGEST = 2000  # characters of an expression


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _texts(value: Any) -> Any:
    return {"en": value} if isinstance(value, str) else value


Message = Annotated[dict[Literal["en", "zh"], str], BeforeValidator(_texts)]
Severity = Literal["low", "medium", "high", "critical"]
SCORES: dict[str, float] = {"low": 0.25, "medium": 0.5, "high": 0.75, "critical": 1.0}


class Example(_Part):
    """A test of a rule: what is given, and whether the rule then holds."""

    text: str = Field("", description="the text that is judged")
    matches: bool = Field(description="whether the rule's `if` must be true")
    at: Literal["input", "output"] | None = Field(None, description="input or output, where the rule is for both")
    given: dict[str, Any] = Field({}, description="other variables: confirmed, tool, arguments, team, roles, hour, …")


class RuleSpec(_Part):
    """One rule."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,59}$", description="how verdicts and logs name it")
    when: Literal["input", "output", "both"] = Field("input", description="before the model, after it, or both")
    condition: str = Field(alias="if", min_length=1, max_length=LONGEST, description="a CEL expression: true or false")
    then: Literal["log", "alert", "replace", "answer", "human", "block"] = Field(
        description="what becomes of the text; replace: `message` stands for it, with {text} where the text goes"
    )
    message: Message = Field({}, description="what is said, by language (en, zh) or as one text")
    severity: Severity = Field("high", description="low, medium, high or critical")
    dry_run: bool = Field(False, description="only logged")
    tests: list[Example] = Field([], description="examples that `luodi rules test` tries")


class RulesFile(_Part):
    """A whole `rules.yaml`."""

    time_zone: str = Field("UTC", description="of hour, weekday and date, e.g. Asia/Shanghai")
    rules: list[RuleSpec] = Field(max_length=500, description="asked in this order")
