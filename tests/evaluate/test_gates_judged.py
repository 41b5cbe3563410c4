from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from luodi.evaluate.gates import Evidence, judge, judge_all, judge_one, overall
from luodi.evaluate.items import items_of
from luodi.evaluate.statistics import mean_of
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


def evidence(
    new: list[float], old: list[float] | None = None, *, better: Any = "higher", judge: Any = None, **more: Any
) -> Evidence:
    def of(scores: list[float]) -> Measurement:
        e = mean_of(scores)
        return Measurement("x", "fit", e.value, "share", e.n, better, e.low, e.high, judge=judge)

    ids = [str(n) for n in range(2000)]
    return Evidence(
        {"x": of(new)}, {"x": items_of(ids[: len(new)], new)}, {"x": of(old)} if old else {},
        {"x": items_of(ids[: len(old)], old)} if old else {}, **more,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("hits", "n", "gate", "verdict"),
    [
        (916, 1000, {"at_least": 0.90}, "pass"),
        (915, 1000, {"at_least": 0.90}, "need more"),
        (899, 1000, {"at_least": 0.90}, "block"),
        (292, 300, {"at_least": 0.95}, "pass"),
        (291, 300, {"at_least": 0.95}, "need more"),
        (8, 300, {"at_most": 0.05}, "pass"),
        (9, 300, {"at_most": 0.05}, "need more"),
        (16, 300, {"at_most": 0.05}, "block"),
    ],
)
def test_both_verdicts_on_the_counts_of_gb_45654(hits: int, n: int, gate: dict[str, Any], verdict: str) -> None:
    found = judge_one(Gate(measure="x", **gate), evidence([1.0] * hits + [0.0] * (n - hits)))
    assert (found.verdict, found.meets_value, found.confident) == (verdict, verdict != "block", verdict == "pass")
    assert found.p is not None and (found.p <= 0.05) == (verdict == "pass")
    assert (found.needed or 0) > n if verdict == "need more" else found.needed is None


def test_five_items() -> None:
    gate = Gate(measure="x", at_least=0.8, margin=0.02)
    found = judge_one(gate, evidence([1.0] * 5, [1.0] * 5))
    assert found.verdict == "need more" and found.how == "pairs" and (found.needed or 0) > 100
    assert "5 pairs leaves it open" in found.reason
    alone = judge_one(Gate(measure="x", at_least=0.8), evidence([1.0] * 5))
    assert alone.verdict == "need more" and alone.meets_value and not alone.confident
    assert judge_one(Gate(measure="x", at_least=0.8), evidence([1.0, 0.0, 0.0, 1.0, 1.0])).verdict == "block"


def test_the_same_result_is_not_measured_against_itself() -> None:
    gate = Gate(measure="x", margin=0.02)
    assert judge_one(gate, evidence([1.0] * 5, [1.0] * 5, same=frozenset({"x"}))).verdict == "pass"


def test_what_is_better_when_lower() -> None:
    gate = Gate(measure="x", margin=0.02)
    few, many = [1.0] * 10 + [0.0] * 990, [1.0] * 90 + [0.0] * 910
    assert judge_one(gate, evidence(few, many, better="lower")).verdict == "pass"
    assert judge_one(gate, evidence(many, few, better="lower")).verdict == "block"


def test_a_rate_that_was_corrected_is_judged_by_its_own_interval() -> None:
    e = evidence([1.0] * 950 + [0.0] * 50)
    corrected = Measurement("x", "fit", 0.93, "share", 1000, "higher", 0.85, 0.97)
    found = judge_one(Gate(measure="x", at_least=0.9), replace(e, measured={"x": corrected}))
    assert found.verdict == "need more" and found.how == "interval"


def test_a_judged_rate_that_happens_to_be_its_items_mean_keeps_its_own_interval() -> None:
    """No refusal was counted, and nobody knows how many the judge misses."""
    e = evidence([0.0] * 300, better="lower")
    known = {"name": "j", "version": "1", "languages": {}}
    corrected = Measurement("x", "fit", 0.0, "share", 300, "lower", 0.0, 0.5, judge=known)
    found = judge_one(Gate(measure="x", at_most=0.05), replace(e, measured={"x": corrected}))
    assert found.verdict == "need more" and found.how == "interval"
    other = replace(corrected, judge=known | {"version": "2"})
    both = replace(e, measured={"x": corrected}, live={"x": other}, live_items=e.items)
    assert judge_one(Gate(measure="x", margin=0.02), both).how == "two intervals"
    assert judge_one(Gate(measure="x", margin=0.02), replace(both, live={"x": corrected})).how == "pairs"


def labels(recall: float, low: float, positives: int = 50) -> dict[str, Any]:
    return {"name": "refusals", "languages": {"zh": {"recall": recall, "recall_low": low, "positives": positives}}}


@pytest.mark.parametrize(
    ("judge", "verdict", "reason"),
    [
        (labels(0.95, 0.9), "pass", ""),
        (labels(0.52, 0.4), "block", "judged by refusals (zh), whose recall is 0.52 on 50 labels; 0.8 is needed"),
        (labels(0.9, 0.7, 10), "need more", "judged by refusals (zh), whose recall of 0.90 rests on 10 labels; about "),
        (
            {"name": "r", "languages": {"zh": {"recall": None}}},
            "block",
            "judged by r (zh), for which there are no human labels",
        ),
    ],
)
def test_a_judge_that_misses_too_much_judges_nothing(judge: dict[str, Any], verdict: str, reason: str) -> None:
    found = judge_one(Gate(measure="x", at_least=0.5), evidence([1.0] * 100, judge=judge))
    assert found.verdict == verdict and found.reason.startswith(reason)
    assert (
        judge_one(
            Gate(measure="x", at_least=0.5, judge_recall=0.3), evidence([1.0] * 100, judge=labels(0.52, 0.4))
        ).verdict
        == "pass"
    )


def test_gates_as_claims_of_their_own() -> None:
    e = evidence([1.0] * 916 + [0.0] * 84)
    gates = [Gate(measure="x", at_least=0.9), Gate(measure="x", at_least=0.5), Gate(measure="x", at_least=0.3)]
    assert [j.verdict for j in judge_all(gates, e)] == ["pass"] * 3
    assert [j.verdict for j in judge_all(gates, e, multiplicity="holm")] == ["pass"] * 3, "the weakest is tested last"
    two = [gates[0], gates[0]]
    found = judge_all(two, e, multiplicity="holm")
    assert [j.verdict for j in found] == ["need more"] * 2 and "Holm" in found[0].reason
