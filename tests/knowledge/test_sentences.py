from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luodi.knowledge.sentences import sentences


@pytest.mark.parametrize(
    "pieces",
    [
        ["One.", "Two!", "Three?", "Four"],
        ["Use a field, e.g. Django's CharField, or i.e. a widget.", "Then, vs. forms, see etc. below."],
        ["Django 5.2.19 needs Python 3.10.", "It takes 1.5 s."],
        ["Import django.forms.Field first.", "iexact ignores case."],
        ['He said "no."', "She left (early.)", "Done."],
        ['"What?" he asked.', "Nobody... answered."],
        ["1. Install it.", "Run it."],
        ["See J. Smith, fig. 3 and No. 5.", "No.", "It is 5 p.m. here."],
        ["Apples, pears, etc.", "The rest follows."],
        ["第一句。", "第二句！", "真的吗？", "是；", "好"],
        ["他说：“你好。”", "然后走了。", "「行！」", "Django 很快.", "是的。"],
        ["Use Django。", "Then stop."],
        ["a line\n", "another line\r\n", "last"],
    ],
)
def test_sentences(pieces: list[str]) -> None:
    text = " ".join(pieces)
    assert [text[a:b] for a, b in sentences(text)] == [piece.strip() for piece in pieces]


def test_chinese_needs_no_space() -> None:
    text = "第一句。第二句？！“第三句。”第四句"
    assert [text[a:b] for a, b in sentences(text)] == ["第一句。", "第二句？！", "“第三句。”", "第四句"]


@given(st.text() | st.text(alphabet="aB1. \n!?。”)…e.g\u2028"))
def test_spans_are_ordered_and_hold_everything_but_space(text: str) -> None:
    end = 0
    kept = []
    for a, b in sentences(text):
        assert end <= a < b <= len(text)
        assert text[end:a].strip() == ""
        assert not text[a].isspace() and not text[b - 1].isspace()
        kept.append(text[a:b])
        end = b
    assert text[end:].strip() == ""
    assert "".join("".join(kept).split()) == "".join(text.split())
