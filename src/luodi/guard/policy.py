"""What a guard checks, from which score on, and what then happens. Part of a release, so frozen."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from luodi.guard.privacy import PrivacyPolicy
from luodi.guard.verdict import EDITS, Disposition

Door = Literal["input", "untrusted", "output"]
DOORS: tuple[Door, ...] = ("input", "untrusted", "output")
Say = dict[Literal["en", "zh"], str]


def _named(value: Any) -> Any:
    # releases made before there were eight dispositions
    return "log" if value == "allow_log" else value


def _short(value: Any) -> Any:
    return {"action": value} if isinstance(value, str) else value


Action = Annotated[Disposition, BeforeValidator(_named)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CategoryPolicy(_Frozen):
    """One category of a check, or a group of them: what is said of "A.1" holds for "A.1.3" unless that is named, too.

    Attributes:
        action: what becomes of a text in which it is found.
        threshold: score from which it counts; None for that of the check.
        say: text by language, for `answer` and `replace`.
    """

    action: Action
    threshold: float | None = Field(default=None, ge=0.0, le=1.0)
    say: Say = {}


class CheckPolicy(_Frozen):
    """One check.

    Attributes:
        threshold: score from which the disposition applies; None for the check's own (that of a trained model: 1 %
            false positives on its held-out benign texts).
        action: what becomes of a text in which the check finds something.
        on_missing: what happens when the check could not run: `block` (fail closed) or `allow` (fail open).
        say: text by language, for `answer` and `replace`.
        categories: other dispositions by category; the disposition alone may be written.
    """

    threshold: float | None = Field(default=None, ge=0.0, le=1.0)
    action: Action = "block"
    on_missing: Literal["block", "allow"] = "block"
    say: Say = {}
    categories: dict[str, Annotated[CategoryPolicy, BeforeValidator(_short)]] = {}

    def of(self, category: str) -> CategoryPolicy | None:
        """What is said of a category, or of the nearest group that it is in."""
        while category:
            if (found := self.categories.get(category)) is not None:
                return found
            category = category.rpartition(".")[0]
        return None


class TransformerPolicy(_Frozen):
    """The transformer behind the linear model.

    Attributes:
        folder: where the classifier lies; "" for none.
        band: scores of the linear model between which it is asked.
        budget_ms: that one text may take; see `checks.transformer`.
    """

    folder: str = ""
    band: tuple[float, float] = (0.02, 0.95)
    budget_ms: float = Field(default=200.0, gt=0.0)


class GuardPolicy(_Frozen):
    """The checks at each of the three doors, and how each is decided.

    Attributes:
        input, untrusted, output: names of the checks that run on what a user writes, on retrieved documents and tool
            results, and on what the model answers; in this order.
        checks: by name; one that is not named is decided as it is by default. The name may also stand beside `input`.
        privacy: what becomes of each type of personal data.
        transformer: the classifier that is asked where the linear model is not sure.
        review: the combined risk from which a text that no check stopped is put before a person; None for never.
        expected: the share of attacks in traffic, which the risk is reckoned for.
    """

    input: tuple[str, ...] = ("personal", "rules", "injection")
    untrusted: tuple[str, ...] = ("personal", "rules", "injection")
    output: tuple[str, ...] = ("personal", "leak")
    checks: dict[str, CheckPolicy] = {}
    privacy: PrivacyPolicy = PrivacyPolicy()
    transformer: TransformerPolicy = TransformerPolicy()
    review: float | None = Field(default=None, gt=0.0, le=1.0)
    expected: float = Field(default=0.01, gt=0.0, lt=1.0)

    @model_validator(mode="before")
    @classmethod
    def _gathered(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        from luodi.guard.checks import known

        beside = {name: value[name] for name in value if name not in cls.model_fields and name in known()}
        rest = {name: value[name] for name in value if name not in beside}
        return rest | {"checks": {**beside, **(value.get("checks") or {})}}

    @model_validator(mode="after")
    def _sound(self) -> Self:
        from luodi.guard.checks import known

        kinds = known()
        for name in (*self.input, *self.untrusted, *self.output, *self.checks):
            if name not in kinds:
                raise ValueError(f"there is no check {name!r}; known: {', '.join(kinds)}")
        for door in DOORS:
            for name in getattr(self, door):
                if door not in kinds[name].doors:
                    raise ValueError(f"{name} is a check of {' and '.join(kinds[name].doors)} only")
        for name, policy in self.checks.items():
            kind = kinds[name]
            actions = {policy.action, *(part.action for part in policy.categories.values())}
            if not kind.edits and actions & set(EDITS):
                raise ValueError(f"{name} cannot mask: it judges the whole text; use another disposition")
            if policy.threshold is None and kind.needs_threshold:
                raise ValueError(f"{name} needs a threshold between 0 and 1")
            if "answer" in actions and not (policy.say or any(part.say for part in policy.categories.values())):
                raise ValueError(f"{name}: the disposition answer needs a text in `say`")
        return self

    def of(self, check: str) -> CheckPolicy:
        """The policy of one check. Raises: KeyError if there is no such check."""
        from luodi.guard.checks import known

        return self.checks.get(check) or known()[check].default


def compile_policy(section: Mapping[str, Any], parts: Collection[str], privacy: PrivacyPolicy) -> GuardPolicy:
    """The policy of a release, from the `guard` section of its project.

    Args:
        section: as the project file has it.
        parts: what the release brings: `injection`, `transformer`, `moderation`, `business`.

    Raises:
        ValueError: a check that there is not, or that cannot do what it is told.
    """
    names = ("names",) if privacy.engines else ()
    moderation = ("moderation",) if "moderation" in parts else ()
    folder = str(section.get("transformer") or "")
    transformer = ("transformer",) if folder or "transformer" in parts else ()
    business = ("business",) if "business" in parts else ()
    conversation = ("conversation",) if "injection" in parts else ()
    doors = {
        "input": (*names, "personal", "rules", "injection", *transformer, *conversation, *moderation, *business),
        "untrusted": (*names, "personal", "rules", "injection", *transformer),
        "output": (*moderation, *business, "personal", "leak", "disclosure", "repetition"),
    }
    doors |= {door: tuple(section[door]) for door in DOORS if section.get(door)}
    checks = dict(section.get("checks") or {})
    if "injection" not in parts:
        # recorded as not run on every call, and counted in guard_checks_ran; it does not refuse every call
        checks.setdefault("injection", {"on_missing": "allow"})
    return GuardPolicy.model_validate(
        {
            **doors, "checks": checks, "privacy": privacy, "transformer": {"folder": folder},
            **{name: section[name] for name in ("review", "expected") if section.get(name) is not None},
        }
    )  # fmt: skip


def default_policy(has_detector: bool) -> GuardPolicy:
    """The policy of a release that sets none.

    A project without training data for a detector (`guard.train`) has rules only. The missing check is recorded as not
    run on every call and counted in `guard_checks_ran`; it does not refuse every call.
    """
    injection = CheckPolicy() if has_detector else CheckPolicy(on_missing="allow")
    return GuardPolicy(checks={"injection": injection})
