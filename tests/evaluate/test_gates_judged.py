from __future__ import annotations

import math
from typing import Any

import pytest

from luodi.evaluate.gates import judge, overall
from luodi.pipeline import Measurement
from luodi.project import Gate


def m(
    value: float, low: float | None = None, high: float | None = None, n: int = 100, better: Any = "higher"
) -> Measurement:
    return Measurement("x", "fit", value, "share", n, better, low, high)


def verdict(gate: dict[str, Any], measured: Measurement | None, live: Measurement | None = None) -> str:
    found = judge(Gate(measure="x", **gate), {"x": measured} if measured else {}, {"x": live} if live else {})
    assert found.verdict == "pass" or found.reason, "a verdict that is no pass says why"
    return found.verdict


@pytest.mark.parametrize(
    ("gate", "measured", "expected"),
    [
        ({"at_least": 0.8}, m(0.9, 0.82, 0.95), "pass"),
        ({"at_least": 0.8}, m(0.9, 0.8, 0.95), "pass"),
        ({"at_least": 0.8}, m(0.9, 0.79, 0.95), "need more"),
        ({"at_least": 0.8}, m(0.79, 0.7, 0.95), "block"),
        ({"at_most": 0.1}, m(0.05, 0.0, 0.09), "pass"),
        ({"at_most": 0.1}, m(0.05, 0.0, 0.11), "need more"),
        ({"at_most": 0.1}, m(0.11, 0.0, 0.2), "block"),
        ({"at_least": 0.8, "judge": "value"}, m(0.81, 0.1, 0.95), "pass"),
        ({"at_least": 0.8}, m(0.8), "pass"),
        ({"at_least": 0.8}, m(0.79), "block"),
        ({"at_least": 0.2, "at_most": 0.4}, m(0.3), "pass"),
        ({"at_least": 0.2, "at_most": 0.4}, m(0.5), "block"),
        ({"at_least": 0.8}, None, "block"),
        ({"margin": 0.1}, None, "block"),
        ({"at_least": 0.8}, m(1.0, n=0), "need more"),
        ({"at_least": 0.0}, m(math.nan), "block"),
        ({"margin": 0.1}, m(math.nan), "block"),
        ({"at_most": 1.0}, m(-math.inf), "block"),
    ],
)
def test_bounds(gate: dict[str, Any], measured: Measurement | None, expected: str) -> None:
    assert verdict(gate, measured) == expected


@pytest.mark.parametrize(
    ("new", "live", "expected"),
    [
        (m(0.80, 0.79, 0.81), m(0.80, 0.79, 0.81), "pass"),
        (m(0.90, 0.8, 1.0), m(0.80, 0.79, 0.81), "pass"),
        (m(0.79, 0.785, 0.795), m(0.80, 0.795, 0.805), "pass"),
        (m(0.79, 0.75, 0.83), m(0.80, 0.76, 0.84), "need more"),
        (m(0.60, 0.58, 0.62), m(0.80, 0.78, 0.82), "block"),
        (m(0.79), m(0.80), "pass"),
        (m(0.70), m(0.80), "block"),
        (m(0.5), None, "pass"),
        (m(120, better="lower"), m(100, better="lower"), "block"),
        (m(80, better="lower"), m(100, better="lower"), "pass"),
    ],
)
def test_margin_against_live(new: Measurement, live: Measurement | None, expected: str) -> None:
    assert verdict({"margin": 0.02}, new, live) == expected


def test_a_bound_beside_a_margin_is_judged_too() -> None:
    gate = {"at_least": 0.8, "margin": 0.05}
    assert verdict(gate, m(0.3)) == "block", "there is no live release, and the bound stands all the same"
    assert verdict(gate, m(0.79), m(0.8)) == "block"
    assert verdict(gate, m(0.85), m(0.95)) == "block"
    assert verdict(gate, m(0.94), m(0.95)) == "pass"


def test_judged_by_value_against_live() -> None:
    wide = m(0.79, 0.5, 1.0)
    assert verdict({"margin": 0.02}, wide, m(0.8)) == "need more"
    assert verdict({"margin": 0.02, "judge": "value"}, wide, m(0.8)) == "pass"


def test_how_many_items_are_needed_is_said() -> None:
    found = judge(Gate(measure="x", margin=0.02), {"x": m(0.79, 0.75, 0.83)}, {"x": m(0.80, 0.76, 0.84)})
    assert found.reason.startswith("needs about ") and int(found.reason.split()[2]) > 100 and found.live == 0.80


def test_overall() -> None:
    def of(*pairs: tuple[str, bool]) -> str:
        measured = {"pass": m(1.0), "block": m(0.0), "need more": m(1.0, 0.0, 1.0)}
        return overall([judge(Gate(measure="x", at_least=0.5, required=r), {"x": measured[v]}, {}) for v, r in pairs])

    assert of(("pass", True), ("block", False), ("need more", False)) == "pass"
    assert of(("pass", True), ("need more", True)) == "need more"
    assert of(("need more", True), ("block", True)) == "block"
    assert of() == "pass"


def test_the_bound_is_written_out() -> None:
    found = judge(Gate(measure="x", at_least=0.5, at_most=1, margin=0.1), {}, {})
    assert found.bound == "≥ 0.5, ≤ 1, not worse than live by 0.1"
    assert found.as_dict()["reason"] == "not measured, and what is not measured is not passed"
