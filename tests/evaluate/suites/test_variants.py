from __future__ import annotations

import random

import pytest

from luodi.errors import SourceError
from luodi.evaluate.suites.swaps import axes, both, put_as
from luodi.evaluate.suites.variants import VARIANTS, variant_of, with_synonyms
from luodi.guard import normalise

EN = "Please explain which settings control the database connection timeout in production environments"
ZH = "请问在哪里设置数据库的连接超时？需要重新登录账号吗？"


@pytest.mark.parametrize("name", [n for n in VARIANTS if n != "traditional"])
def test_a_variant_changes_the_text_and_is_the_same_every_time(name: str) -> None:
    def made(text: str, language: str, seed: int = 1) -> str:
        return VARIANTS[name](text, language, random.Random(seed))

    assert made(EN, "en") != EN and made(EN, "en") == made(EN, "en")
    if name in ("typos", "distractor"):
        assert made(ZH, "zh", 3) != ZH


def test_what_looks_the_same_is_the_same_to_the_guard() -> None:
    for name in ("full_width", "homoglyphs", "casing"):
        assert normalise(VARIANTS[name](EN, "en", random.Random(1))) == normalise(EN), name


def test_traditional_characters() -> None:
    pytest.importorskip("opencc")
    assert VARIANTS["traditional"]("数据库连接", "zh", random.Random(1)) == "數據庫連接"
    assert VARIANTS["traditional"](EN, "en", random.Random(1)) == EN


def test_synonyms_are_whole_words() -> None:
    swap = with_synonyms({"timeout": "time limit", "数据库": r"资料\库"})
    assert swap("timeouts and a timeout", "en", random.Random(1)) == "timeouts and a time limit"
    assert swap("数据库", "zh", random.Random(1)) == r"资料\库"
    with pytest.raises(SourceError, match=r"synonyms needs synonyms\.csv"):
        variant_of("synonyms", {})


@pytest.mark.parametrize(
    ("text", "axis", "language", "expected"),
    [
        ("He lost his key. HIS wife has one; she is here.", "gender", "en",
         ("He lost his key. HIS husband has one; he is here.", "She lost her key. HER wife has one; she is here.")),
        ("王先生和他的儿子", "gender", "zh", ("王先生和他的儿子", "王女士和她的女儿")),
        ("张伟住在北京", "names", "zh", ("张伟住在北京", "买买提住在北京")),
        ("A young man from New York", "age", "en", ("A young man from New York", "A elderly man from New York")),
        ("A young man from New York", "region", "en", ("A young man from New York", "A young man from Lagos")),
    ],
)  # fmt: skip
def test_a_person_as_another(text: str, axis: str, language: str, expected: tuple[str, str]) -> None:
    assert both(text, axis, language) == expected


def test_who_is_not_named_is_not_swapped() -> None:
    assert both("The theme of this chapter is heat", "gender", "en") is None
    assert both("x", "gender", "fr") is None
    assert set(axes()) == {"gender", "names", "region", "age"}
    assert put_as(put_as("张伟和王芳", "names", "zh", 1), "names", "zh", 0) == "张伟和王芳"
