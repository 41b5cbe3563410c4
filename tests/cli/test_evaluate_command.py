"""`luodi evaluate` on two tiny signed releases and a model that says what it is told."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from luodi.engine import Request
from luodi.store import Store
from luodi.testing import FakeEngine, engine_kinds, tiny_release


def write_suite(folder: Path, count: int = 400, **about: Any) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({"prompt": f"What is {n} plus 1?", "reference": str(n + 1)}) for n in range(count)]
    (folder / "items.jsonl").write_text("\n".join(lines))
    (folder / "suite.yaml").write_text(
        yaml.safe_dump({"name": "sums", "scorer": "exact", "licence": "CC0-1.0", "max_tokens": 4} | about)
    )


def adds(request: Request) -> str:
    return str(int(re.findall(r"\d+", request.messages[-1].content)[0]) + 1)


def adds_often(request: Request) -> str:
    right = adds(request)
    return right if int(right) % 5 else "?"


@pytest.fixture
def releases(store: Store, project: Path) -> Any:
    """Version 1 adds, version 2 often does not, version 3 adds."""
    for number, kind in enumerate(("good", "poor", "good"), 1):
        tiny_release(store, kind, documents={f"A › B{number}": f"Text number {number} says something of its own."})
    write_suite(project / "suites" / "sums")

    def made(answers: Any) -> Any:
        return lambda folder, *, pick, threads: FakeEngine(answers)

    with engine_kinds(good=made(adds), poor=made(adds_often)):
        yield


def test_what_there_is(run: Any, project: Path) -> None:
    write_suite(project / "suites" / "sums")
    listed = [row["suite"] for row in run("evaluate", "--list", "--json").lines()]
    assert listed[-1] == "suites/sums" and {"arithmetic", "refusal"} <= set(listed)
    assert run("evaluate").code == 2 and "evaluate.suites" in run("evaluate").err
    none = run("evaluate", "--suite", "suites/none")
    assert none.code == 2 and "there is no suite 'suites/none'" in none.err


def test_a_release_is_measured_once(run: Any, releases: None) -> None:
    first = run("evaluate", "-s", "suites/sums", "-r", "helpdesk@2", "--json").lines()
    measured = next(line for line in first if line.get("event") == "measurement")
    assert (measured["name"], measured["value"], measured["n"]) == ("sums", 0.8, 400)
    again = run("evaluate", "-s", "suites/sums", "-r", "helpdesk@2")
    assert "0 of 400 answers asked now" in again.out and "80.0 %" in again.out


def test_a_worse_release_is_told_apart(run: Any, releases: None) -> None:
    worse = run("evaluate", "-s", "suites/sums", "-r", "2", "--against", "helpdesk@1", "--json")
    gate = next(line for line in worse.lines() if line.get("event") == "gate")
    assert worse.code == 1 and gate["verdict"] == "block" and gate["how"] == "pairs"
    assert gate["live"] == 1.0 and "worse than live: -0.2" in gate["reason"]
    better = run("evaluate", "-s", "suites/sums", "-r", "1", "--against", "2")
    assert better.code == 0 and "pass" in better.out


def test_equal_answers_on_few_items_leave_it_open(run: Any, releases: None, project: Path) -> None:
    write_suite(project / "suites" / "sums", 5)
    few = run("evaluate", "-s", "suites/sums", "--against", "3", "-r", "3", "--lang", "zh")
    assert few.code == 1 and "样本不足" in few.out
    assert run("evaluate", "-s", "suites/sums", "--against", "3", "-r", "3", "--margin", "0.9").code == 0
