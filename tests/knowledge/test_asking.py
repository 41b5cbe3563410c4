from __future__ import annotations

import time

import pytest

from luodi.knowledge.asking import asked


@pytest.mark.parametrize(
    ("question", "about"),
    [
        ("Can you explain hour in QuerySet API reference?", "hour in QuerySet API reference?"),
        ("Hi, could you please tell me about caching?", "caching?"),
        ("What should I know about GDAL?", "GDAL?"),
        ("I would like to know more about refunds", "refunds"),
        ("How do I explain a query?", "How do I explain a query?"),
        ("explain() options", "explain() options"),
        ("Explain.", "Explain."),
        ("请问如何退货？", "如何退货？"),
        ("你好，请给我介绍一下年假制度", "年假制度"),
        ("能否解释一下缓存", "缓存"),
        ("请假怎么办", "请假怎么办"),
        ("可以退货吗", "可以退货吗"),
        ("", ""),
    ],
)
def test_what_frames_a_question_is_taken_off(question: str, about: str) -> None:
    assert asked(question) == about


def test_is_linear() -> None:
    began = time.perf_counter()
    for text in ("hi " * 300_000, "请" * 1_000_000, "can you " * 200_000, " " * 1_000_000):
        asked(text)
    assert time.perf_counter() - began < 1
