"""The library of words and its automaton: normal forms, boundaries, exceptions, quotas, streams."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luodi.errors import SourceError

pytest.importorskip("ahocorasick_rs")
from luodi.guard.moderation import CATEGORIES, OPENAI, Library, Word, Words, openai_scores, read_library, read_words
from luodi.guard.moderation.watching import WordWatch

WORDS = Words(
    [("毒品", "A.1.8"), ("制毒", "A.1.8"), ("毒品交易", "A.1.8"), ("massacre", "A.1.6"), ("kill them", "A.1.6"), ("性别", "A.2.5"),
     ("ass", "A.2.9")],
    ["性别平等", "制毒犯罪的危害"],
)  # fmt: skip


def found(text):
    return [text[m.start : m.end] for m in WORDS.find(text)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("哪里有毒品交易？", ["毒品", "毒品交易"]),
        ("毒·品 毒\u200b品", ["毒·品", "毒\u200b品"]),
        ("ＭＡＳＳＡＣＲＥ", ["ＭＡＳＳＡＣＲＥ"]),
        ("m.a.s.s.a.c.r.e!", ["m.a.s.s.a.c.r.e", "a.s.s"]),
        ("a mass acre of land", []),
        ("class assess pass", []),
        ("you ass", ["ass"]),
        ("kill  them", ["kill  them"]),
        ("skill them", []),
        ("促进性别平等", []),
        ("性别歧视", ["性别"]),
        ("学习制毒犯罪的危害", []),
        ("毒" + " " * 9 + "品", []),
        ("", []),
        ("\ud800毒品", ["毒品"]),
    ],
)
def test_what_is_found(text, words):
    assert found(text) == words


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(["毒", "品", "交", "易", "制", "性", "别", "平", "等", " ", "·", "massacre", "mass", "acre", "ass", "a",
                         "kill", " them", "。", "犯罪的危害", "x", "\u200b" * 9]), max_size=25),
    st.integers(0, 2**32),
)  # fmt: skip
def test_a_stream_is_masked_like_the_whole(parts, seed):
    text, rng = "".join(parts), random.Random(seed)
    whole = WordWatch(WORDS, lambda group: "***")
    expected = whole.feed(text) + whole.finish()
    watch, out, at = WordWatch(WORDS, lambda group: "***"), [], 0
    while at < len(text):
        size = rng.randint(1, 5)
        out.append(watch.feed(text[at : at + size]))
        at += size
    out.append(watch.finish())
    assert "".join(out) == expected
    assert watch.matches == whole.matches == WORDS.find(text)


def test_nothing_of_a_word_is_shown_before_it_is_judged():
    watch = WordWatch(WORDS, lambda group: "***")
    shown = [watch.feed(sign) for sign in "买毒品交易吗"]
    assert shown == ["买", "", "", "", "", "***吗"] or "".join(shown) + watch.finish() == "买***吗"
    assert not any("毒" in piece for piece in shown)


def test_hostile_texts_take_linear_time():
    begin = time.process_time()
    for text in ("毒" * 1_000_000, "毒 " * 500_000, "\u202e" * 1_000_000, "a" * 1_000_000):
        assert WORDS.find(text) == []
    watch = WordWatch(WORDS, lambda group: "***")
    for _ in range(20_000):
        watch.feed("毒" * 8)
    assert len(watch._text) < 5000
    assert time.process_time() - begin < 8


def test_variants_do_not_make_a_library_larger(tmp_path):
    library = Library()
    assert (
        library.add(
            [Word("敏感词", "A.1.1"), Word("敏 感 词", "A.1.1"), Word("敏·感·词", "A.1.1"), Word("Ｂａｄ", "S2")]
        )
        == 2
    )
    assert library.add([Word("bad", "S2"), Word("bad", "S1")]) == 1
    assert library.repeats == 3
    total, first, *_ = library.quotas()
    assert (total.has, total.needs, total.met) == (2, 10_000, False)
    assert (first.category, first.has, first.needs) == ("A.1.1", 1, 200)
    assert sum(quota.needs for quota in library.quotas()[1:]) == 2500
    library.allowed = ["敏感词汇"]
    library.save(tmp_path)
    again = read_library(tmp_path)
    assert (again.words, again.allowed) == (library.words, library.allowed)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("w.csv", "term,category\nx,A.1.1\n", "w.csv:1: no column 'word'"),
        ("w.csv", "word,category\n炸药,A.1.1\nbomb,Z.9\n", "w.csv:3: 'Z.9' is no category"),
        ("w.jsonl", '{"word": "炸药", "category": "A.1.1"}\n[1]\n', "w.jsonl:2: not an object"),
        ("w.jsonl", "{\n", "w.jsonl:1: not JSON"),
        ("w.txt", "好\nab\n", "w.txt:2: 'ab' is too short"),
        ("w.txt", "...\n", "w.txt:1: '...' has 0 letters"),
        ("w.txt", "好" * 65, "has 65 letters"),
    ],
)
def test_a_bad_file_is_refused_with_its_line(tmp_path, name, content, told):
    (tmp_path / name).write_text(content, "utf-8")
    with pytest.raises(SourceError) as error:
        list(read_words(tmp_path / name, category="A.1.1" if name == "w.txt" else ""))
    assert told in error.value.message


def test_the_categories_of_the_standard():
    groups = [c.group for c in CATEGORIES.values()]
    assert [groups.count(f"A.{n}") for n in range(1, 6)] == [8, 9, 5, 7, 2]
    assert all(name in OPENAI for c in CATEGORIES.values() for name in c.openai)
    assert all(name in CATEGORIES for c in CATEGORIES.values() for name in c.mlcommons)
    assert openai_scores([("A.2.1", 0.7), ("S4", 0.4)]) == dict.fromkeys(OPENAI, 0.0) | {
        "hate": 0.7,
        "sexual/minors": 0.4,
    }
