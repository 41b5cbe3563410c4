from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from luodi.errors import IntegrityError
from luodi.knowledge import INDEX, Index, extract, ground, sourced
from luodi.knowledge.chunks import Chunk, chunk_section
from luodi.knowledge.index import Original, build
from luodi.pipeline import Row


def chunk(text: str, *, title: str = "T", source: str = "s", rank: int = 0, path: str = "p", row: str = "") -> Chunk:
    return Chunk(0, row or text[:8], source, rank, path, title, text, 0, len(text), 1)


def made(folder: Path, *chunks: Chunk) -> Index:
    assert build(folder / INDEX, chunks) == len(chunks)
    return Index(folder / INDEX)


def test_best_first(tmp_path: Path) -> None:
    index = made(
        tmp_path,
        chunk("A cache keeps answers.", title="Caching"),
        chunk("Fields are optional with required=False.", title="Form fields"),
        chunk("Nothing here of either.", title="Other"),
    )
    assert [h.chunk.title for h in index.search("make fields optional in a cache")] == ["Form fields", "Caching"]
    hits = index.search("optional field")
    assert hits[0].score > 0 and hits[0].chunk.text.startswith("Fields are") and hits[0].chunk.id == 2
    assert index.search("xyzzy") == [] == index.search("") == index.search("?!")
    assert index.count() == 3
    assert len(index.search("either cache fields", 1)) == 1


def test_only_stop_words_still_find(tmp_path: Path) -> None:
    assert made(tmp_path, chunk("To be or not to be.")).search("to be") != []


@pytest.mark.parametrize("query", ["事务", "数据库事务", "怎么使用事务？", "原子"])
def test_chinese_words_of_two_characters(tmp_path: Path, query: str) -> None:
    index = made(
        tmp_path,
        chunk("使用 atomic 创建保证原子性的数据库事务。", title="事务"),
        chunk("表单字段默认是必填的。", title="表单"),
    )
    assert index.search(query)[0].chunk.title == "事务"
    assert index.search("表单")[0].chunk.title == "表单"


def test_full_width_and_case_do_not_matter(tmp_path: Path) -> None:
    index = made(tmp_path, chunk("Set STATIC_ROOT to a folder."))
    for query in ("static_root", "ＳＴＡＴＩＣ_ＲＯＯＴ", "Static root"):
        assert len(index.search(query)) == 1


def test_the_source_named_first_answers(tmp_path: Path) -> None:
    new = chunk("The timeout is 300 seconds.", source="new", rank=0, path="cache.txt", title="Timeout", row="n")
    old = chunk(
        "The timeout timeout is 30 seconds, timeout.", source="old", rank=1, path="cache.txt", title="Timeout", row="o"
    )
    only_old = chunk("The timeout of a session.", source="old", rank=1, path="session.txt", title="Session", row="x")
    index = made(tmp_path, old, only_old, new)
    assert {h.chunk.row_id for h in index.search("timeout")} == {"n", "x"}
    assert {h.chunk.row_id for h in index.search("timeout", without=frozenset({"n"}))} == {"o", "x"}
    assert {h.chunk.row_id for h in index.search("timeout", without=frozenset({"n", "x"}))} == {"o"}


def test_a_path_with_signs_that_mean_something_in_an_address(tmp_path: Path) -> None:
    folder = tmp_path / "a b%20?x=#y"
    folder.mkdir()
    assert made(folder, chunk("A cache.")).search("cache")


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match="is missing"):
        Index(tmp_path / INDEX)


def test_several_threads(tmp_path: Path) -> None:
    index = made(tmp_path, *(chunk(f"The number {n} of the cache.", title=f"T{n}") for n in range(50)))
    wrong: list[Any] = []

    def search(n: int) -> None:
        for _ in range(20):
            if index.search(f"number {n}", 1)[0].chunk.title != f"T{n}":
                wrong.append(n)

    threads = [threading.Thread(target=search, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    query=st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
    | st.sampled_from(['" OR 1', "a AND NOT b*", "NEAR(a b)", "{a}:", "²³ ⅷ ௧", "\x00"])
)
def test_no_query_breaks_it(shared_index: Index, query: str) -> None:
    assert all(h.score is not None for h in shared_index.search(query))


@pytest.fixture(scope="module")
def shared_index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    return made(tmp_path_factory.mktemp("index"), chunk("A cache. 缓存。", title="Cache"))


def section(*blocks: tuple[str, str]) -> Row:
    at, meta = 0, []
    for line, (kind, text) in enumerate(blocks, 1):
        meta.append({"kind": kind, "text": text, "start": at, "end": at + len(text), "line": line})
        at += len(text) + 1
    return Row("r", "section", "", "s", "p", "T", 0, at, 1, meta={"blocks": meta})


def test_chunks_of_whole_blocks() -> None:
    row = section(("text", "one two three"), ("code", "x = 1"), ("text", "four five six"), ("text", "seven"))
    chunks = list(chunk_section(row, rank=2, words=6))
    assert [(c.text, c.start, c.end, c.line) for c in chunks] == [
        ("one two three\nfour five six", 0, 33, 1),
        ("seven", 34, 39, 4),
    ]
    assert {(c.row_id, c.rank, c.title) for c in chunks} == {("r", 2, "T")}


@pytest.mark.parametrize("sentence", ["This sentence has six words here. ", "这个句子里一共有十二个汉字。"])
def test_chunks_have_about_the_size_asked_for(sentence: str) -> None:
    for blocks in ([("text", sentence * 40)], [("text", sentence * 2)] * 20):
        chunks = list(chunk_section(section(*blocks), rank=0, words=30))
        assert len(chunks) >= 6
        for c in chunks:
            assert len(c.text) <= 30 * 8, "a chunk is far larger than asked for"
        assert "".join("".join(c.text.split()) for c in chunks) == "".join((sentence * 40).split())


TEXTS = st.lists(st.tuples(st.sampled_from(["text", "code"]), st.text("aB. 你好。\n!x1", max_size=80)), max_size=6)


@given(blocks=TEXTS, words=st.integers(1, 20))
def test_spans_lie_inside_the_section_and_nothing_is_lost(blocks: list[tuple[str, str]], words: int) -> None:
    row = section(*blocks)
    chunks = list(chunk_section(row, rank=0, words=words))
    for c in chunks:
        assert 0 <= c.start <= c.end <= row.end
    said = "".join("".join(text.split()) for kind, text in blocks if kind == "text")
    assert "".join("".join(c.text.split()) for c in chunks) == said


def test_every_citation_is_the_text_of_its_original(tmp_path: Path) -> None:
    original = "Intro.\n\nUse ``cache`` with\n:setting:`CACHES`. It is fast.\n"
    start = original.index("Use")
    block = {
        "kind": "paragraph", "text": "Use cache with CACHES. It is fast.", "start": start, "end": len(original) - 1,
        "line": 3,
    }  # fmt: skip
    row = Row("r", "section", "", "file:docs", "a.rst", "Cache", meta={"blocks": [block]})
    chunks = list(chunk_section(row, rank=0, words=70, original=original))
    build(tmp_path / INDEX, chunks, [Original("file:docs", "a.rst", original, "abc", "Title", "2026-01-02")])
    index = Index(tmp_path / INDEX)
    hits = index.search("cache", 1)
    answer = ground("How do I cache?", "Use cache with CACHES.", hits)
    (citation,) = sourced(index, answer.citations)
    assert citation.text == "Use ``cache`` with\n:setting:`CACHES`."
    assert original[citation.start : citation.end] == citation.text
    assert (citation.digest, citation.date) == ("abc", "2026-01-02")
    (whole,) = sourced(index, extract("cache fast", hits).citations)
    assert whole.text == original[start:-1]
    assert index.original("file:docs", "other") is None
