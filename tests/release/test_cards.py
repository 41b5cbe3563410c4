from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from luodi.engine.folder import write_about
from luodi.pipeline import Context, Measurement, Row, write_rows
from luodi.release import cards
from luodi.store import Store


def context(
    tmp_path: Path, *, licence: str = "Apache-2.0", source_licence: str = "CC0-1.0", measured: bool = True
) -> Context:
    inputs = {name: tmp_path / name for name in ("rows", "pairs", "model", "clean", "train")}
    for folder in (*inputs.values(), tmp_path / "out"):
        folder.mkdir()
    write_about(inputs["model"], name="stand-in", licence=licence, source="test", context=512)
    write_rows(inputs["rows"], [Row("r1", "section", "text", "file:documents", "a.md")])
    write_rows(
        inputs["pairs"],
        [Row(f"p{n}", "pair", "q", "s", "p", meta={"split": s}) for n, s in enumerate(["train", "train", "gold"])],
    )
    (inputs["clean"] / "dropped.json").write_text('{"too short": 3}')
    names = [
        "answer_f1",
        "cites_right_section",
        "abstains_when_unanswerable",
        "attacks_blocked",
        "training_loss_last_10_steps",
    ]
    found = [Measurement(n, "fit", 0.5, "share", 10, "higher", 0.4, 0.6, base=0.1) for n in names] if measured else []
    (inputs["train"] / "measurements.json").write_text(json.dumps([m.as_dict() for m in found]))
    params = cards.Params(
        name="helpdesk",
        languages=["en"],
        base="package:x==1",
        train={"method": "lora", "rank": 8},
        picks={"large": "q8_0"},
        sources=[{"source": "file:documents", "licence": source_licence, "basis": "own"}],
        personal_data="masked",
    )
    nothing: Any = lambda *_: None  # noqa: E731
    return Context(
        stage="cards", params=params, inputs=inputs, out=tmp_path / "out", state=tmp_path, seed=0, project=tmp_path,
        downloads=tmp_path, store=Store(tmp_path / "store"), map_shards=nothing, report=nothing,
    )  # fmt: skip


def test_complete(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    cards.run(ctx)
    (measured,) = ctx.measurements
    assert (measured.name, measured.value) == ("cards_complete", 1.0)
    text = (ctx.out / "model-card.md").read_text("utf-8")
    assert "**Answers on the gold set**: 0.5 [0.4, 0.6] share (n 10); untuned base 0.1" in text
    data = (ctx.out / "data-card.md").read_text("utf-8")
    assert "file:documents (CC0-1.0, own): 1 sections" in data and "3 too short" in data and "2, made from" in data


@pytest.mark.parametrize(
    ("more", "missing"),
    [
        ({"licence": ""}, "model: Licence of the base model"),
        ({"licence": "unknown"}, "model: Licence of the base model"),
        ({"source_licence": "unknown"}, "data: Sources, licences, legal basis"),
        ({"measured": False}, "model: Answers on the gold set"),
    ],
)
def test_what_is_missing_is_counted_and_named(tmp_path: Path, more: dict[str, Any], missing: str) -> None:
    ctx = context(tmp_path, **more)
    cards.run(ctx)
    assert ctx.measurements[0].value < 1.0
    assert missing in ctx.measurements[0].note and missing in ctx.summary
