"""What tells two questions apart; the pairs are those of the benchmark, and must stay as they are measured."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luodi.gateway.cache import differs, facts

with (Path(__file__).parents[3] / "benchmarks" / "cache" / "pairs.csv").open(encoding="utf-8", newline="") as _file:
    PAIRS = list(csv.DictReader(_file))
DIFFERENT = [(p["kind"], p["first"], p["second"]) for p in PAIRS if p["same"] == "0"]


@pytest.mark.parametrize(("kind", "first", "second"), DIFFERENT)
def test_one_thing_apart_is_another_question(kind: str, first: str, second: str) -> None:
    assert differs(facts(first), facts(second)) and differs(facts(second), facts(first))


def test_three_of_four_paraphrases_are_taken() -> None:
    taken = [not differs(facts(p["first"]), facts(p["second"])) for p in PAIRS if p["same"] == "1"]
    assert sum(taken) / len(taken) >= 0.75


@given(st.text(max_size=120))
def test_whatever_is_asked_is_read_and_the_same_as_itself(text: str) -> None:
    found = facts(text)
    assert differs(found, found) in ("", "nothing to compare")


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_two_numbers_are_two_questions(a: int, b: int) -> None:
    same = differs(facts(f"How do I pay {a} dollars?"), facts(f"How do I pay {b} dollars?")) == ""
    assert same == (a == b)


@pytest.mark.parametrize("text", ["", "???", "的", "the", "\x00", "１２３", "a" * 5000, "Is it?"])
def test_odd_texts(text: str) -> None:
    differs(facts(text), facts("How do I reset my password?"))
