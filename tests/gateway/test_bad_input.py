"""Whatever is sent: an error object with a 4xx status, or an answer; never a 500."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from asking import PATH, body
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from luodi.gateway.wire import MAX_BODY
from luodi.testing import AsgiReply, call

Q = "How do I make a form field optional?"
HALF = b'"\\ud83d"'


def post(house: Any, sent: Any, key: str | None = None, **more: Any) -> AsgiReply:
    return asyncio.run(call(house.app, "POST", PATH, body=sent, key=house.key if key is None else key, **more))


def refused(reply: AsgiReply, status: int, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    assert reply.status == status, reply.body
    error: dict[str, Any] = reply.json()["error"]
    assert set(error) == {"message", "type", "param", "code"} and error["message"]
    assert error["type"].endswith("_error") and (error["param"], error["code"]) == (param, code)
    return error


MESSAGES: list[tuple[Any, str]] = [
    (None, "messages"),
    ([], "messages"),
    ("hello", "messages"),
    ([3], "messages[0].role"),
    ([{"role": "robot"}], "messages[0].role"),
    ([{"role": ["user"], "content": "x"}], "messages[0].role"),
    ([{"role": "user"}], "messages[0].content"),
    ([{"role": "user", "content": 7}], "messages[0].content"),
    ([{"role": "user", "content": {}}], "messages[0].content"),
    ([{"role": "assistant", "content": "x"}], "messages"),
    ([{"role": "user", "content": "  "}], "messages"),
]


@pytest.mark.parametrize(("messages", "param"), MESSAGES)
def test_wrong_messages(house: Any, messages: Any, param: str) -> None:
    refused(post(house, body(Q) | {"messages": messages}), 400, param)


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("n", 2, "unsupported_parameter"),
        ("n", "1", "unsupported_parameter"),
        ("stream", "yes", None),
        ("stream_options", [1], None),
        ("temperature", 3, None),
        ("temperature", "hot", None),
        ("temperature", True, None),
        ("top_p", -1, None),
        ("max_tokens", 0, None),
        ("max_tokens", "9", None),
        ("max_tokens", 10**30, None),
        ("max_completion_tokens", -5, None),
        ("seed", 10**30, None),
        ("stop", [""], None),
        ("stop", 5, None),
        ("stop", ["a", "b", "c", "d", "e"], None),
        ("tools", [{"type": "function"}], "unsupported_parameter"),
        ("response_format", {"type": "json_object"}, "unsupported_parameter"),
        ("logprobs", True, "unsupported_parameter"),
        ("frequency_penalty", 0.5, "unsupported_parameter"),
        ("temprature", 0.2, "unknown_parameter"),
        ("extra", {"a": 1}, "unknown_parameter"),
    ],
)
def test_wrong_values(house: Any, name: str, value: Any, code: str | None) -> None:
    refused(post(house, body(Q, **{name: value})), 400, name, code)
    assert house.engine.requests == []


def test_images_are_refused(house: Any) -> None:
    parts = [{"type": "text", "text": "what is this?"}, {"type": "image_url", "image_url": {"url": "https://x/y.png"}}]
    refused(
        post(house, body(Q) | {"messages": [{"role": "user", "content": parts}]}),
        400,
        "messages[0].content",
        "unsupported_content",
    )


def test_what_asks_for_nothing_is_taken(house: Any) -> None:
    neutral = {
        "frequency_penalty": 0,
        "tools": [],
        "tool_choice": "none",
        "logprobs": False,
        "n": 1,
        "user": "u",
        "new_field": None,
    }
    assert post(house, body(Q, **neutral)).status == 200


def test_unknown_model(house: Any) -> None:
    error = refused(post(house, body(Q, model="gpt-5")), 404, "model", "model_not_found")
    assert "'helpdesk'" in error["message"]
    refused(post(house, body(Q, model=3)), 400, "model")


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'"text"', "JSON object"),
        (b"null", "JSON object"),
        (b"\xff\xfe{}", "not UTF-8"),
        (b'{"temperature": NaN}', "not JSON"),
        (b'{"top_p": Infinity}', "not JSON"),
        (b'{"stop": "\\ud83d"}', "not JSON"),
    ],
)
def test_broken_bodies(house: Any, sent: bytes, told: str) -> None:
    assert told in refused(post(house, sent), 400)["message"]


def test_half_a_surrogate(house: Any) -> None:
    asked = b'{"model": "helpdesk", "messages": [{"role": "user", "content": %s}]}'
    refused(post(house, asked % HALF), 400)
    named = b'{"model": "helpdesk", "messages": [{"role": "user", "content": "x"}], %s: {}}' % HALF
    assert post(house, named).status == 400
    assert post(house, b'{"model": %s, "messages": []}' % HALF).status == 400


def test_a_huge_body(house: Any) -> None:
    refused(post(house, b" " * (MAX_BODY + 1)), 413, None, "body_too_large")


@pytest.mark.parametrize(
    ("key", "code"), [("", "missing_api_key"), ("luodi-wrong", "invalid_api_key"), ("ÿ", "invalid_api_key")]
)
def test_without_a_key(house: Any, key: str, code: str) -> None:
    refused(post(house, body(Q), key=key), 401, None, code)
    assert house.rows()[-1].outcome == "error" and house.rows()[-1].actor == ""
    assert asyncio.run(call(house.app, "GET", "/v1/models", key=key)).status == 401


def test_another_way_of_sending_a_key_is_no_key(house: Any) -> None:
    for value in (house.key, f"Basic {house.key}", "Bearer", f"Token {house.key}"):
        reply = post(house, body(Q), key="", headers=[(b"authorization", value.encode())])
        refused(reply, 401, None, "missing_api_key")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", PATH, 405),
        ("PUT", PATH, 405),
        ("POST", "/v1/models", 405),
        ("GET", "/v1/embeddings", 405),
        ("POST", "/", 404),
        ("GET", "/v1/nothing", 404),
        ("DELETE", "/health/x", 404),
        ("GET", "/", 404),
    ],
)
def test_wrong_places(house: Any, method: str, path: str, status: int) -> None:
    reply = asyncio.run(call(house.app, method, path, key=house.key))
    assert reply.status == status and set(reply.json()["error"]) == {"message", "type", "param", "code"}


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["user", "system", "text", Q, "helpdesk"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=8) | st.sampled_from(["role", "content", "type", "text"]), inner, max_size=4)
    ),
    max_leaves=12,
)
FIELDS = [
    "model",
    "messages",
    "stream",
    "stream_options",
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "stop",
    "n",
    "seed",
    "tools",
    "tool_choice",
    "response_format",
    "logprobs",
    "user",
    "metadata",
    "frequency_penalty",
    "presence_penalty",
    "store",
]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changed=st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=3), whole=st.none() | JSON)
def test_no_json_makes_a_500(house: Any, changed: dict[str, Any], whole: Any) -> None:
    reply = post(house, whole if whole is not None else body(Q) | changed)
    assert reply.status in (200, 400, 404), reply.body
    if reply.status != 200:
        assert set(reply.json()["error"]) == {"message", "type", "param", "code"}
    else:
        assert reply.done or reply.json()["choices"]


def test_a_mistake_of_ours_tells_nothing(
    house: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> object:
        raise ZeroDivisionError("s3cret detail")

    monkeypatch.setattr(house.gateway.served.index.__class__, "search", broken)
    with caplog.at_level(logging.ERROR, "luodi.gateway"):
        for stream in (False, True):
            reply = post(house, body(Q, stream=stream))
            assert (
                reply.status == 500
                and b"s3cret" not in reply.body
                and reply.json()["error"]["code"] == "internal_error"
            )
    assert "ZeroDivisionError" in caplog.text
    assert [r.outcome for r in house.rows()] == ["error", "error"]
