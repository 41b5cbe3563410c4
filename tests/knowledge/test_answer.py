from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from luodi.knowledge import (
    ABSTAIN,
    DEFAULT_PROMPT,
    Grounder,
    Hit,
    abstain,
    build_messages,
    extract,
    ground,
    language_of,
    says_unknown,
)
from luodi.knowledge.answer import question_coverage, split_answer
from luodi.knowledge.chunks import Chunk
from luodi.knowledge.prompt import passage_text

Q = "How do I make a form field optional?"


def hit(text: str, title: str = "Guide › Fields", row: str = "r") -> Hit:
    return Hit(Chunk(1, row, "s", 0, f"{row}.md", title, text, 3, 3 + len(text), 7), 1.0)


HITS = [
    hit("A field is required by default. Set required=False on the field to make it optional.", row="a"),
    hit("The cache timeout is 300 seconds. A field is required by default.", "Guide › Cache", "b"),
    hit("默认超时时间是 300 秒。字段默认是必填的。", "指南 › 缓存", "c"),
]


def test_supported_sentences_are_kept_and_cited() -> None:
    said = "Set required=False on the field. [1] The cache timeout is 300. [2] A field is required by default. [1]"
    found = ground(Q, said, HITS)
    assert (found.kind, found.text) == ("generated", said)
    assert [(c.number, c.path, c.line, c.start, c.row_id) for c in found.citations] == [
        (1, "a.md", 7, 3, "a"),
        (2, "b.md", 7, 3, "b"),
    ]
    assert found.citations[0].quote == "Set required=False on the field to make it optional."


def test_sources_are_numbered_as_they_are_used() -> None:
    found = ground(Q, "The cache timeout is 300 seconds. [2] Set required=False on the field. [1]", HITS)
    assert found.text == "The cache timeout is 300 seconds. [1] Set required=False on the field. [2]"
    assert [c.row_id for c in found.citations] == ["b", "a"]


def test_what_no_passage_says_is_left_out() -> None:
    found = ground(Q, "Bananas are yellow. Set required=False on the field. It takes 99 days.", HITS)
    assert found.text == "Set required=False on the field. [1]"
    assert [d.text for d in found.dropped] == ["Bananas are yellow.", "It takes 99 days."]


def test_a_sentence_said_twice_is_shown_once() -> None:
    assert ground(Q, "Set required=False on the field. " * 3, HITS).text == "Set required=False on the field. [1]"


def test_chinese_needs_no_space() -> None:
    assert (
        ground("默认超时是多少？", "默认超时时间是 300 秒。字段默认是必填的。", HITS).text
        == "默认超时时间是 300 秒。 [1]字段默认是必填的。 [1]"
    )


@pytest.mark.parametrize("text", [*ABSTAIN.values(), "The documents do not say anything about it."])
def test_an_abstention(text: str) -> None:
    found = ground(Q, text, HITS)
    assert (found.kind, found.text, found.citations) == ("abstained", ABSTAIN["en"], ())
    assert found.nearest[0].row_id == "a"
    assert says_unknown(text) and not says_unknown("Set required=False.")


def test_without_passages() -> None:
    assert ground(Q, "Set required=False on the field.", ()).kind == "abstained"
    assert abstain("默认超时是多少？", ()).text == ABSTAIN["zh"]


def test_extract_quotes_the_best_passage_or_abstains() -> None:
    found = ground(Q, "Bananas are yellow.", HITS)
    assert found.kind == "extracted" and found.text.startswith("A field is required by default.") and found.citations
    assert ground("Which bananas are ripe in winter?", "Bananas are yellow.", HITS).kind == "abstained"
    assert extract(Q, HITS[:1]).citations[0].row_id == "a"
    assert question_coverage("???", HITS[0]) == 0.0 and question_coverage("field optional", HITS[0]) == 1.0


def test_split() -> None:
    assert split_answer("One. [1] Two [2]. [3] [4] Three") == ["One. [1]", "Two [2]. [3] [4]", "Three"]
    assert split_answer("[1] One.") == ["[1] One."] and split_answer("  ") == []


PIECES = [
    "Set required=False on the field.",
    "A field is required by default.",
    "The cache timeout is 300 seconds.",
    "默认超时时间是 300 秒。",
    "字段默认是必填的。",
    "Bananas are yellow.",
    "The documents do not say.",
    " [1]",
    " [2]",
    "[3]",
    "[",
    "]",
    "1",
    " ",
    "\n",
    '"',
    "“",
    "”",
    "(",
    ".",
    "…",
    "e.g. ",
    "No. ",
    "see etc. ",
    "[12] ",
    "[123]",
    "A",
    "the",
]


@settings(max_examples=400, deadline=None)
@given(
    text=st.lists(st.sampled_from(PIECES), max_size=12).map("".join),
    sizes=st.lists(st.integers(1, 7), min_size=1, max_size=6),
)
@example(text="A field is required by default. [2] The cache", sizes=[1])
@example(text='See etc. "and so on" is required. A field.', sizes=[1])
@example(text="A field is required by default. [9] [2] x", sizes=[3])
def test_a_stream_is_the_whole_for_every_chunking(text: str, sizes: list[int]) -> None:
    grounder, shown, at = Grounder(Q, HITS), "", 0
    turn = 0
    while at < len(text):
        size = sizes[turn % len(sizes)]
        shown += grounder.feed(text[at : at + size])
        at, turn = at + size, turn + 1
    rest, streamed = grounder.finish()
    whole = ground(Q, text, HITS)
    assert streamed == whole
    assert shown + rest == whole.text


def test_prompt() -> None:
    system, user = build_messages(f" {Q} ", HITS)
    assert (system.role, system.content) == ("system", DEFAULT_PROMPT.strip())
    assert user.content.startswith("[1] Guide › Fields\nA field is required") and user.content.endswith(
        f"\n\nQuestion: {Q}"
    )
    assert "[2] Guide › Cache" in user.content
    long = hit("word " * 200, "A › B › C")
    assert passage_text(long).startswith("B › C\nword") and len(passage_text(long)) < 380
    assert len(passage_text(hit("字" * 500))) < 400
    assert [language_of(t) for t in ("what", "什么 what")] == ["en", "zh"]
