"""Sentences of clean text found again in the original."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from luodi.knowledge.sentences import sentences
from luodi.knowledge.spans import align, cover, sentence_spans


def found(clean: str, raw: str, start: int = 0) -> list[tuple[str, str]]:
    document = "." * start + raw
    return [(clean[a:b], document[c:d]) for (a, b), (c, d) in sentence_spans(clean, raw, start)]


def test_marks_and_line_breaks() -> None:
    raw = "Set :setting:`DEBUG` to\n  ``False``. See `the docs <https://x.example>`_ first."
    clean = "Set DEBUG to False. See the docs first."
    assert found(clean, raw, 7) == [
        ("Set DEBUG to False.", "Set :setting:`DEBUG` to\n  ``False``."),
        ("See the docs first.", "See `the docs <https://x.example>`_ first."),
    ]


def test_chinese() -> None:
    raw = "退货须在三十天内\n提出。包装**不得**拆开。"
    assert found("退货须在三十天内提出。包装不得拆开。", raw) == [
        ("退货须在三十天内提出。", "退货须在三十天内\n提出。"),
        ("包装不得拆开。", "包装**不得**拆开。"),
    ]


def test_a_list_marker_is_not_looked_for_far_away() -> None:
    assert found("- Send it a week before.", "* Send it a pre-week before.")[0][1].startswith("Send it")


def test_a_sentence_that_cleaning_made_up_gets_the_whole_block() -> None:
    assert found("Version notice.", ".. deprecated:: 5.0") == [("Version notice.", ".. deprecated:: 5.0")]


def test_words_are_not_found_inside_others() -> None:
    assert found("in the box", "inside a tin is in the box")[0][1] == "in the box"


def test_cover() -> None:
    spans = [((0, 5), (10, 20)), ((6, 9), (21, 30))]
    assert cover(spans, 0, 5) == (10, 20)
    assert cover(spans, 4, 7) == (10, 30)
    assert cover(spans, 9, 12) is None


@given(st.text(max_size=300))
def test_a_text_is_found_in_itself(text: str) -> None:
    spans = sentence_spans(text, text, 0)
    assert [here for here, _ in spans] == sentences(text)
    for (a, b), (c, d) in spans:
        assert 0 <= c <= d <= len(text)
        if any(s.isalnum() for s in text[a:b]):
            assert {s for s in text[a:b] if s.isalnum()} <= {s for s in text[c:d] if s.isalnum()}


def test_is_linear() -> None:
    times = []
    for size in (20_000, 80_000):
        text = "word " * size
        began = time.perf_counter()
        align(text, text)
        times.append(time.perf_counter() - began)
    assert times[1] < 12 * times[0]
