from __future__ import annotations

import csv
import re
from importlib.resources import files
from pathlib import Path

import pytest

from luodi.release.report import bound_words, loss_curve, number, promise_rows, render_report, write_report
from passport_sample import EVIL, bare, passport


def test_the_report_is_one_file_that_asks_for_nothing_else(tmp_path: Path) -> None:
    write_report(passport(), tmp_path / "r.html")
    html = (tmp_path / "r.html").read_text("utf-8")
    assert not re.search(r"""(?:src|href)\s*=\s*["'](?!#|data:)""", html)
    assert "@import" not in html
    assert "<svg" in html


def test_every_measurement_and_verdict_is_in_it() -> None:
    html = render_report(passport())
    for rows in passport()["promises"].values():
        for m in rows:
            if m.get("gate"):
                assert m["gate"]["bound"].replace("≥", "").replace("≤", "").strip(" 0123456789.,%") in html
    assert "too few" in html
    assert "样本不足" in html


@pytest.mark.parametrize("language", ["en", "zh"])
def test_text_of_documents_and_models_never_becomes_markup(language: str) -> None:
    html = render_report(passport(), language)  # type: ignore[arg-type]
    assert EVIL not in html
    assert "&lt;script&gt;" in html


def test_figures_are_written_for_people() -> None:
    assert [number(v, "share") for v in (1, 0, 0.962, 0.99996, 0.0001)] == ["100", "0", "96.2", "99.996", "0.01"]
    assert number(0.0000312, "USD") == "0.0000312"
    assert number(-0.0213, "share", sign=True) == "−2.1"
    assert number(12400.0, "ms") == "12,400"
    assert bound_words("≥ 0.85", "share").en == "≥ 85\u202f%"


def test_need_more_says_why_and_how_many() -> None:
    row = next(r for r in promise_rows(passport())["fit"] if r.verdict == "need more")
    assert "96 items are too few" in row.why.en
    assert "303" in row.why.zh
    assert row.difference.zh.endswith("个百分点")


def test_a_gate_that_passes_on_the_value_alone_says_so() -> None:
    sample = passport()
    row = next(m for m in sample["promises"]["fit"] if m["name"] == "answers_supported")
    row["gate"]["bound"] = "≥ 1"
    shown = {r.name: r for r in promise_rows(sample)["fit"]}
    assert "the value itself" in shown["answers_supported"].why.en
    assert shown["answer_f1"].why.en == ""


def test_places_on_the_axis_lie_within_it() -> None:
    for rows in promise_rows(passport()).values():
        for row in rows:
            known = [row.plot.value, *(b for b, _ in row.plot.bounds)]
            known += [x for x in (row.plot.low, row.plot.high, row.plot.base) if x is not None]
            assert all(0 <= x <= 1 for x in known)


def test_a_loss_that_is_not_a_number_is_left_out() -> None:
    curve = loss_curve([2.0, float("nan"), 1.5, 1.0])
    assert curve is not None
    assert "nan" not in curve["raw"]
    assert loss_curve([1.0]) is not None
    assert loss_curve([]) is None


def test_a_passport_with_nothing_optional_is_rendered() -> None:
    assert "<html" in render_report(bare())


def test_words_have_both_languages() -> None:
    with files("luodi.release").joinpath("words.csv").open(encoding="utf-8") as file:
        assert all(row["en"] and row["zh"] for row in csv.DictReader(file))


def test_both_verdicts_waivers_and_judges_are_shown() -> None:
    sample = passport()
    row = next(m for m in sample["promises"]["fit"] if m["name"] == "answer_f1")
    waiver = {"person": "Li Wei", "role": "head of safety", "reason": "a <b>pilot</b>", "expires": "2027-01-31"}
    row["gate"] |= {"meets_value": True, "confident": False, "waiver": waiver, "verdict": "need more"}
    known = {
        "recall": 0.83,
        "recall_low": 0.75,
        "recall_high": 0.89,
        "alarm": 0.0,
        "tp": 91,
        "fn": 18,
        "fp": 0,
        "tn": 60,
    }
    row["judge"] = {"name": "phrases", "languages": {"en": known, "zh": {"recall": None}}, "uncorrected": 0.5}
    shown = {r.name: r for r in promise_rows(sample)["fit"]}["answer_f1"]
    assert shown.both.en == "value met, with confidence not met" and "未达标" in shown.both.zh
    assert shown.waiver.en.startswith("Waived by Li Wei (head of safety) until 2027-01-31")
    assert "recall 0.83 [0.75, 0.89]" in shown.judge.en and "zh: no labels" in shown.judge.en
    assert "counted 50.0%" in shown.judge.en and "原始计数" in shown.judge.zh
    sample["gates_without_measurement"] = [{**row["gate"], "measure": "forgetting"}]
    sample["thresholds"]["witness"] = {"target": "rfc3161:https://tsa", "answer": "", "problem": ""}
    html = render_report(sample)
    assert "rfc3161:https://tsa" in html
    assert html.count("Waived by Li Wei") == 2 and "<b>pilot</b>" not in html


def test_a_comparison_says_its_own_reason() -> None:
    sample = passport()
    row = next(m for m in sample["promises"]["fit"] if m.get("gate"))
    row["gate"] |= {"verdict": "block", "how": "pairs", "reason": "worse than live: -0.05 [-0.07, -0.03] on 400 pairs"}
    shown = {r.name: r for r in promise_rows(sample)["fit"]}[row["name"]]
    assert shown.why.en == "Worse than live: -0.05 [-0.07, -0.03] on 400 pairs."
