"""OpenAI's client against a running gateway."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("openai")

import with_openai


@pytest.mark.parametrize("check", with_openai.CHECKS, ids=lambda c: c.__name__)
def test_openai(server: Any, check: Any) -> None:
    check(server.url, server.key)


def test_a_caller_that_leaves_is_not_worked_for(server: Any) -> None:
    server.upstream.left.clear()
    with_openai.cancel(server.url, server.key)
    assert server.upstream.left.wait(5), "the model goes on for nobody"
