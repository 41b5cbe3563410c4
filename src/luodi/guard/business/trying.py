"""The tests that stand beside the rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from luodi.guard.business.rules import Rule, Rules
from luodi.guard.business.spec import Example
from luodi.guard.business.variables import VARIABLES, from_values


@dataclass(frozen=True, slots=True)
class Tried:
    """One example of one rule; `problem` is "" if the rule did what it must."""

    rule: str
    number: int
    text: str
    expected: bool
    problem: str

    @property
    def passed(self) -> bool:
        return not self.problem


def try_rules(rules: Rules) -> list[Tried]:
    """Every example of every rule, in order."""
    return [
        Tried(rule.spec.id, number, example.text, example.matches, _try(rules, rule, example))
        for rule in rules.all
        for number, example in enumerate(rule.spec.tests, 1)
    ]


def _try(rules: Rules, rule: Rule, example: Example) -> str:
    if unknown := [name for name in example.given if name not in VARIABLES or name in ("text", "at")]:
        return f"there is no variable {unknown[0]!r} to give"
    given: dict[str, Any] = dict(example.given)
    if "amounts" in given:
        given["amounts"] = [float(amount) for amount in given["amounts"]]
    at = example.at or ("output" if rule.spec.when == "output" else "input")
    try:
        holds = rule.holds(from_values(example.text, rules.zone, at=at, **given))
    except ValueError as error:
        return str(error)
    if holds != example.matches:
        return "it matches and must not" if holds else "it does not match and must"
    return ""
