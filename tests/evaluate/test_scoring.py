from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luodi.evaluate.scoring import cites, word_f1
from luodi.knowledge import Hit
from luodi.knowledge.chunks import Chunk


@pytest.mark.parametrize(
    ("answer", "reference", "f1"),
    [
        ("Set the field.", "set the field", 1.0),
        ("Set the field. [1]", "Set the field.", 1.0),
        ("one two", "three", 0.0),
        ("a b c d", "a b", 2 * 2 / 6),
        ("a a", "a", 2 / 3),
        ("", "a", 0.0),
        ("a", "", 0.0),
        ("", "", 0.0),
        ("使用事务", "使用事务。", 1.0),
    ],
)
def test_f1(answer: str, reference: str, f1: float) -> None:
    assert word_f1(answer, reference) == pytest.approx(f1)


@given(a=st.text(max_size=30), b=st.text(max_size=30))
def test_f1_is_a_share_and_symmetric(a: str, b: str) -> None:
    assert 0.0 <= word_f1(a, b) <= 1.0
    assert word_f1(a, b) == pytest.approx(word_f1(b, a))


def test_cites() -> None:
    hits = [Hit(Chunk(n, "r", "s", 0, path, "T", "", 0, 0, 1), 1.0) for n, path in enumerate(("a.md", "b.md"))]
    right = {("b.md", "T")}
    assert cites("It is so. [2]", hits, right) and cites("[2] [1]", hits, right)
    assert not any(cites(text, hits, right) for text in ("It is so.", "[1] [2]", "[3]", "[0]", "", "[123]"))
