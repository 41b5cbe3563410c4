from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel

from luodi.errors import StoreError
from luodi.pipeline import Context, Lineage, Link, Row, Runner, Stage
from luodi.store import Store


class Nothing(BaseModel):
    pass


DOCUMENT = Row("d" * 32, "document", "one. two.", "toy", "a.txt")
ONE, TWO = DOCUMENT.child("section", "0", text="one."), DOCUMENT.child("section", "5", text="two.")
PAIR = ONE.child("pair", "0", text="what? one.")


def collect(ctx: Context) -> None:
    ctx.write_rows([DOCUMENT], [Link(DOCUMENT.id, (), "collect", "toy a.txt")])


def clean(ctx: Context) -> None:
    ctx.write_rows([ONE, TWO], [Link(row.id, (DOCUMENT.id,), "clean", "section") for row in (ONE, TWO)])


def deduplicate(ctx: Context) -> None:
    ctx.write_rows(
        [ONE],
        [Link(ONE.id, (ONE.id,), "deduplicate", "kept"), Link("", (TWO.id,), "deduplicate", f"copy of {ONE.id}", 0.9)],
    )


def index(ctx: Context) -> None:
    ctx.write_json("index.json", [])


def pairs(ctx: Context) -> None:
    ctx.write_rows([PAIR], [Link(PAIR.id, (ONE.id, ONE.id), "pairs")])


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    names = ["collect", "clean", "deduplicate", "index", "pairs"]
    runs = [collect, clean, deduplicate, index, pairs]
    stages = [
        Stage(n, run, Nothing(), {"rows": names[i - 1]} if i else {})
        for i, (n, run) in enumerate(zip(names, runs, strict=True))
    ]
    made = Runner(Store(tmp_path / "store"), stages, project=tmp_path, seed=1)
    made.run()
    return made


@pytest.fixture
def lineage(runner: Runner) -> Lineage:
    return Lineage(runner.store, runner.latest())


def test_back_to_the_file_nearest_first(lineage: Lineage) -> None:
    assert [step.stage for step in lineage.back(PAIR.id)] == ["pairs", "deduplicate", "clean", "collect"]


def test_back_shows_the_rows(lineage: Lineage) -> None:
    assert [step.row for step in lineage.back(PAIR.id)] == [PAIR, ONE, ONE, DOCUMENT]


def test_forward_to_all_that_was_made(lineage: Lineage) -> None:
    assert [(step.stage, step.link.out_id) for step in lineage.forward(DOCUMENT.id)] == [
        ("clean", ONE.id),
        ("clean", TWO.id),
        ("pairs", PAIR.id),
        ("deduplicate", ""),
    ]


def test_forward_tells_why_a_row_was_dropped(lineage: Lineage) -> None:
    [step] = lineage.forward(TWO.id)
    assert (step.row, step.link.reason, step.link.score) == (None, f"copy of {ONE.id}", 0.9)


def test_every_way_forward_leads_back(lineage: Lineage) -> None:
    for step in lineage.forward(DOCUMENT.id):
        if step.link.out_id:
            assert lineage.back(step.link.out_id)[-1].link.out_id == DOCUMENT.id


def test_row_that_nothing_was_made_of(lineage: Lineage) -> None:
    assert lineage.forward(PAIR.id) == []


def test_find_takes_a_prefix(lineage: Lineage) -> None:
    assert lineage.find(PAIR.id[:6]) == PAIR.id


@pytest.mark.parametrize("prefix", ["zzzz", "ddd", "", "d" * 33])
def test_find_explains(lineage: Lineage, prefix: str) -> None:
    with pytest.raises(StoreError, match="no rows start with"):
        lineage.find(prefix)


def test_lost_artifact_is_left_out(runner: Runner) -> None:
    action = runner.store.actions.get(runner.latest()["deduplicate"])
    assert action is not None
    runner.store.artifacts.remove(runner.store.artifacts.get(action.output))
    assert [step.stage for step in Lineage(runner.store, runner.latest()).back(PAIR.id)] == [
        "pairs",
        "clean",
        "collect",
    ]
