from __future__ import annotations

import pytest

from luodi.knowledge import Hit
from luodi.knowledge.chunks import Chunk
from luodi.knowledge.ground import best_quote, check_against, check_sentence, strip_citations
from luodi.knowledge.words import content_words, has_chinese, segment, stem, words


def hit(text: str, title: str = "Title") -> Hit:
    return Hit(Chunk(1, "r", "s", 0, "p", title, text, 0, len(text), 1), 1.0)


PASSAGE = (
    "The cache timeout is 300 seconds by default, or 1,000 in tests. Set CACHE_TIMEOUT to change it. "
    "You cannot use memcached without a server. URLField checks an address. It is 5.2 or newer."
)


@pytest.mark.parametrize(
    ("sentence", "failed"),
    [
        ("The cache timeout is 300 seconds by default.", ""),
        ("The cache timeout is 1000 in tests.", ""),
        ("The cache timeout is 30 seconds by default.", "numbers"),
        ("The cache timeout is 300.5 seconds by default.", "numbers"),
        ("The cache needs 5 or newer.", "numbers"),
        ("Set CACHE_TIMEOUT to change the cache.", ""),
        ("Set CACHE_TIME to change the cache timeout.", "names"),
        ("Set TIMEOUT to change the cache timeout.", "names"),
        ("A URLField checks an address.", ""),
        ("Set EmailField to change the cache timeout.", "names"),
        ("You cannot use memcached without a server.", ""),
        ("You can use memcached with a server.", "negation"),
        ("The cache timeout is not 300 seconds by default.", "negation"),
        ("The default cache timeout changes the banana harvest.", "words"),
        ("Yes.", "words"),
        ("", "words"),
    ],
)
def test_each_check(sentence: str, failed: str) -> None:
    checks, coverage = check_against(sentence, PASSAGE)
    assert [name for name, ok in checks.items() if not ok] == ([failed] if failed else [])
    assert 0 <= coverage <= 1


@pytest.mark.parametrize(
    ("sentence", "failed"),
    [
        ("默认超时时间是 300 秒。", ""), ("默认超时时间是 200 秒。", "numbers"),
        ("默认超时时间不是 300 秒。", "negation"),
        ("使用STATIC_ROOT设置缓存的默认超时时间。", "names"), ("使用TIMEOUT设置超时时间。", ""),
    ],
)  # fmt: skip
def test_each_check_in_chinese(sentence: str, failed: str) -> None:
    checks, _ = check_against(sentence, "缓存的默认超时时间是 300 秒。使用 TIMEOUT 设置超时时间。")
    assert [name for name, ok in checks.items() if not ok] == ([failed] if failed else [])


def test_a_plural_in_the_passage_names_the_same() -> None:
    assert check_against("Every URL has an address.", "URLs: every one has an address.")[0]["names"]
    assert not check_against("Every URL has an address.", "CURL has every address.")[0]["names"]


def test_a_denial_that_no_single_sentence_holds() -> None:
    passage = "Sessions are kept in a database. They do not expire with the browser."
    assert check_against("Sessions in the database do not expire with the browser.", passage)[0]["negation"]
    assert not check_against(
        "Sessions in the database never expire with the browser.", "Sessions expire. A database, a browser."
    )[0]["negation"]


def test_the_cited_passage_is_preferred() -> None:
    hits = [hit("The default is 300 seconds."), hit("The default is 300 seconds, says another.")]
    assert check_sentence("The default is 300 seconds. [2]", hits).passage == 1
    assert check_sentence("The default is 300 seconds. [9]", hits).passage == 0
    assert check_sentence("The default is 300 seconds.", hits).passage == 0
    wrong = check_sentence("The default is 300 seconds. [1]", [hit("Bananas are yellow."), hits[0]])
    assert wrong.passage == 1, "a citation that does not hold is put right"
    assert check_sentence("The default is 17 seconds. [1]", hits).passage is None
    assert not check_sentence("The default is 17 seconds.", []).supported


def test_quote() -> None:
    assert (
        best_quote("the default timeout in seconds", hit(PASSAGE))
        == "The cache timeout is 300 seconds by default, or 1,000 in tests."
    )
    assert best_quote("memcached server", hit(PASSAGE)) == "You cannot use memcached without a server."
    assert best_quote("anything", hit("")) == ""


def test_strip_citations() -> None:
    assert strip_citations(" One [1] two. [12] ") == "One two."
    assert strip_citations("list[123] [x]") == "list[123] [x]"


def test_words() -> None:
    assert words("Set CACHE_TIMEOUT, e.g. 5.2") == ["set", "cache", "timeout", "e", "g", "5", "2"]
    assert content_words("How do I set the timeout?") == ["set", "timeout"]
    assert "数据库" in words("数据库事务") and "事务" in words("数据库事务")
    assert content_words("怎么使用事务？")[-1] == "事务"
    assert segment("plain text") == "plain text" and has_chinese("a 字") and not has_chinese("ascii")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("fields", "field"),
        ("queries", "query"),
        ("caching", "cached"),
        ("required", "requires"),
        ("optional", "optionally"),
    ],
)
def test_stems_of_one_word_are_one(one: str, other: str) -> None:
    assert stem(one) == stem(other)


def test_short_words_are_left_alone() -> None:
    assert [stem(w) for w in ("is", "bus", "red", "the")] == ["is", "bus", "red", "the"]
