from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luodi.errors import LuodiError
from luodi.gateway.forget import Person, masked
from luodi.gateway.forget.person import fold, pattern
from luodi.store.keys import Keys


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("13800138000", "call 138 0013 8000 now"),
        ("138-0013-8000", "call +8613800138000"),
        ("13800138000", "１３８００１３８０００"),
        ("13800138000", "tel:008613800138000."),
        ("张三", "找张\n三吧"),
        ("张三", "张\u200b三"),
        ("Zhang San", "by ZHANG  SAN, M.D."),
        ("Zhang San", "zhang\nsan"),
        ("zhang.san@shop.cn", "<Zhang.San@Shop.cn>"),
        ("José Álvarez", "jose\u0301 a\u0301lvarez wrote"),
    ],
)
def test_a_value_is_found_as_people_write_it(value: str, text: str) -> None:
    assert pattern(value).search(fold(text))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("13800138000", "order 213800138000"),
        ("13800138000", "138001380001"),
        ("Anna", "Annabel and Susanna"),
        ("张三", "张开三次"),
        ("Zhang San", "zhangsan"),
    ],
)
def test_and_not_within_another(value: str, text: str) -> None:
    assert not pattern(value).search(fold(text))


@pytest.mark.parametrize("value", ["张", "Li", "123", "  ", ""])
def test_what_stands_everywhere_is_refused_and_not_repeated(value: str) -> None:
    with pytest.raises(LuodiError) as told:
        pattern(value)
    assert not value.strip() or value not in told.value.message or len(value) == 1


def test_nothing_is_shown_whole() -> None:
    assert masked("13800138000") == "13…" and masked("张三") == "张…"


@given(st.text(max_size=40), st.text(max_size=40))
def test_places_are_those_of_the_text_as_it_is(tmp_path_factory, before: str, behind: str) -> None:
    person = Person(_keys(tmp_path_factory), "", ("13800138000",))
    text = f"{before} １３８ 0013-8000 {behind}"
    spans = list(person.spans(text))
    assert (len(before) + 1, len(before) + 14) in spans
    assert all(0 <= start < end <= len(text) for start, end in spans)


_KEPT: list[Keys] = []


def _keys(factory) -> Keys:
    if not _KEPT:
        _KEPT.append(Keys(factory.mktemp("keys")))
    return _KEPT[0]


def test_a_digest_is_of_this_store_only(tmp_path) -> None:
    one, other = Person(Keys(tmp_path / "a"), "user:1"), Person(Keys(tmp_path / "b"), "user:1")
    assert one.subject_digest != other.subject_digest and one.is_subject("user:1") and not one.is_subject("user:2")
    assert one.digest_value("138 0013 8000") == one.digest_value("13800138000")


def test_long_texts_are_linear(tmp_path) -> None:
    person = Person(Keys(tmp_path), "", ("13800138000", "Zhang San", "张三"))
    text = ("1 3 8 " * 50 + "张" * 50 + "zhang " * 50) * 1000
    started = time.perf_counter()
    assert not person.holds(text) or True
    assert time.perf_counter() - started < 3
