"""From sections to examples: scrubbing, copies, questions, the gold set and its protection."""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import get_args

import pytest

from luodi.data import deduplicate, pairs, scrub
from luodi.data.questions import opening, question_for
from luodi.errors import LuodiError
from luodi.guard.privacy import TYPES
from luodi.guard.vault import Vaults, restore
from luodi.knowledge import stage as knowledge
from luodi.pipeline import Context, Link, Row, Runner, Stage, read_lineage, read_measurements, read_rows
from luodi.project.model import PersonalType, Scrub
from luodi.store import Store

SENTENCES = [
    "The cache keeps rendered pages for the time that the timeout names.",
    "Sessions are stored in the database unless another engine is chosen.",
    "A migration describes how the tables of a model change over time.",
    "Middleware wraps every request and may answer it before a view does.",
    "The template engine escapes values so that markup cannot be injected.",
    "Signals let a part of the code hear of what another part has done.",
]


def section(i: int, text: str, title: str = "", gold: bool = False, source: str = "s1") -> Row:
    block = {"kind": "paragraph", "text": text, "start": 0, "end": len(text), "line": 3}
    title = title or f"Guide › Topic {i}"
    return Row(
        f"{source}{i:030d}",
        "section",
        text,
        source,
        f"doc{i}.txt",
        title,
        0,
        len(text),
        1,
        meta={"blocks": [block], "gold": gold},
    )


def run(tmp_path: Path, rows: list[Row], *stages: Stage) -> tuple[Store, dict[str, object]]:
    def give(ctx: Context) -> None:
        ctx.write_rows(rows, [Link(r.id, (), "test") for r in rows])

    store = Store(tmp_path / f"store{random.random()}")
    return store, Runner(store, [Stage("rows", give, Scrub()), *stages], project=tmp_path, seed=4).run()


def test_personal_data_is_masked_and_the_row_gets_an_id_of_its_own(tmp_path: Path) -> None:
    rows = [section(1, "Write to anna.schmidt@contoso-bank.de about the invoice today."), section(2, SENTENCES[0])]
    store, done = run(tmp_path, rows, Stage("scrub", scrub.run, Scrub(check_sample=60), {"rows": "rows"}))
    files = store.artifacts.get(done["scrub"].output).files
    masked, untouched = read_rows(files)
    assert "anna" not in masked.text
    assert "[EMAIL]" in masked.meta["blocks"][0]["text"]
    assert masked.id != rows[0].id
    assert untouched == rows[1]
    assert {m.name for m in read_measurements(files)} == {"planted_personal_data_left", "personal_data_found_again"}


def test_personal_data_may_drop_the_section(tmp_path: Path) -> None:
    rows = [section(1, "Write to anna.schmidt@contoso-bank.de about the invoice."), section(2, SENTENCES[0])]
    store, done = run(
        tmp_path, rows, Stage("scrub", scrub.run, Scrub(disposition="drop", check_sample=0), {"rows": "rows"})
    )
    files = store.artifacts.get(done["scrub"].output).files
    assert [r.id for r in read_rows(files)] == [rows[1].id]
    assert any(not link.out_id and "email" in link.reason for link in read_lineage(files))


def test_types_may_differ_and_pseudonyms_lie_sealed_in_the_vault(tmp_path: Path) -> None:
    text = "Anna (anna.schmidt@contoso-bank.de) called from 13800138000; anna.schmidt@contoso-bank.de; 36.112.4.5"
    rows = [section(1, text), section(2, "Her number was 13800138001.")]
    options = Scrub(disposition="pseudonym", kinds={"phone": "mask", "ip": "keep"}, check_sample=30)
    store, done = run(tmp_path, rows, Stage("scrub", scrub.run, options, {"rows": "rows"}))
    first, second = read_rows(store.artifacts.get(done["scrub"].output).files)
    vault = Vaults(store).open(scrub.OWNER, scrub.CONVERSATION)
    assert first.text.count("[EMAIL_") == 2 and "[PHONE]" in first.text and "36.112.4.5" in first.text
    assert second.text == "Her number was [PHONE]."
    assert restore(first.text, vault) == text.replace("13800138000", "[PHONE]")
    assert not any(
        b"anna.schmidt" in p.read_bytes() for p in (store.root / "artifacts").rglob("*") if "scrub" in str(p)
    )
    assert not any(b"anna.schmidt" in p.read_bytes() for p in store.root.glob("luodi.db*"))


def test_an_engine_that_is_not_there_stops_the_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "presidio_analyzer", None)
    options = Scrub(engines=["presidio"], check_sample=0)
    with pytest.raises(LuodiError, match="presidio"):
        run(tmp_path, [section(1, "Anna came.")], Stage("scrub", scrub.run, options, {"rows": "rows"}))


def test_the_project_file_knows_every_type() -> None:
    assert get_args(PersonalType) == TYPES


def test_copies_are_dropped_and_name_their_original() -> None:
    long = " ".join(SENTENCES)
    rows = [
        section(1, long),
        section(2, SENTENCES[1]),
        section(1, long, source="s2"),
        section(4, long + " And one more thing.", title="A › B"),
    ]
    found = deduplicate.find_copies(rows, 0.8)
    assert found[2] == (0, 1.0, "exact")
    assert found[3][0] == 0
    assert found[3][2] == "near"
    assert set(found) == {2, 3}


def test_near_copies_below_the_bound_stay() -> None:
    rows = [section(1, " ".join(SENTENCES[:3])), section(2, " ".join(SENTENCES[:1] + SENTENCES[3:5]))]
    assert deduplicate.find_copies(rows, 0.8) == {}


def test_planted_near_copies_are_all_found() -> None:
    rng = random.Random(1)
    vocabulary = [f"word{i}" for i in range(3000)]
    rows = []
    for i in range(120):
        words = rng.choices(vocabulary, k=120)
        rows.append(section(i, " ".join(words)))
        words[rng.randrange(120)] = "changed"
        rows.append(section(1000 + i, " ".join(words), title=f"Other › Topic {i}"))
    found = deduplicate.find_copies(rows, 0.8)
    assert set(found) == set(range(1, 240, 2))


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Forms › How to upload files", "How do I upload files?"),
        ("FAQ › Why is it slow?", "Why is it slow?"),
        ("Forms › Example", ""),
        ("Forms › How fixtures are found", "Can you explain how fixtures are found?"),
    ],
)
def test_questions_from_headings(title: str, expected: str) -> None:
    assert question_for(section(1, SENTENCES[0], title=title), random.Random(0)) == expected


def test_the_opening_is_whole_sentences_of_the_first_paragraph() -> None:
    assert opening(section(1, SENTENCES[0] + " " + SENTENCES[1])) == SENTENCES[0] + " " + SENTENCES[1]
    assert opening(section(1, "no full stop here")) == ""


def made_pairs(tmp_path: Path, rows: list[Row]) -> tuple[list[Row], dict[str, float]]:
    store, done = run(
        tmp_path,
        rows,
        Stage("index", knowledge.run, knowledge.Params(sources=["s1"]), {"rows": "rows"}),
        Stage("pairs", pairs.run, pairs.Params(instructions="Answer.", passages=2), {"rows": "rows", "index": "index"}),
    )
    files = store.artifacts.get(done["pairs"].output).files
    return read_rows(files), {m.name: m.value for m in read_measurements(files)}


def corpus() -> list[Row]:
    topics = ["caching", "sessions", "migrations", "middleware", "templates", "signals"]
    rows = [
        section(i, f"About {t}: {s}", title=f"Guide › {t.capitalize()} in depth")
        for i, (t, s) in enumerate(zip(topics, SENTENCES, strict=True))
    ]
    return [
        *rows,
        section(
            99,
            "A gold answer that nobody may learn by heart beforehand, ever.",
            title="FAQ › What may nobody learn?",
            gold=True,
        ),
    ]


def test_gold_is_held_out_of_prompts_and_answers(tmp_path: Path) -> None:
    rows, measured = made_pairs(tmp_path, corpus())
    gold = [r for r in rows if r.meta["split"] == "gold"]
    train = [r for r in rows if r.meta["split"] == "train"]
    assert [g.meta["question"] for g in gold] == ["What may nobody learn?"]
    assert train
    assert all("nobody may learn" not in str(r.meta["messages"]) + r.meta["answer"] for r in train)
    assert measured["contamination"] == 0


def test_an_example_that_repeats_the_gold_answer_is_left_out(tmp_path: Path) -> None:
    leak = section(50, "A gold answer that nobody may learn by heart beforehand, ever.", title="Guide › Leaking things")
    rows, measured = made_pairs(tmp_path, [*corpus(), leak])
    assert leak.id not in {r.meta["section"] for r in rows if r.meta["split"] == "train" and r.meta["answerable"]}
    assert measured["contamination"] == 0


def test_answers_cite_the_passage_that_holds_them(tmp_path: Path) -> None:
    rows, _ = made_pairs(tmp_path, corpus())
    for row in rows:
        if row.meta["split"] == "train" and row.meta["answerable"]:
            number = int(row.meta["answer"].rpartition("[")[2].rstrip("]"))
            passage = row.meta["messages"][1]["content"].split(f"[{number}] ")[1].split("\n\n")[0]
            assert row.meta["answer"].rpartition(" [")[0] in passage
