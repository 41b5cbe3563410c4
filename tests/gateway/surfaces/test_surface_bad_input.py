"""Whatever is sent to whichever surface: the API's own error object with a 4xx, or an answer; never a 500."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scripting import Model, Room
from test_surface_wire import GOOD

from luodi.gateway.call import Piece
from luodi.gateway.upstream import Pool
from luodi.gateway.wire import MAX_BODY

COUNT = "/v1/messages/count_tokens"
PATHS = [*GOOD, COUNT]
BASE = GOOD | {COUNT: {"model": "chat", "messages": [{"role": "user", "content": "hello"}]}}


def check_error(path: str, reply: Any) -> dict[str, Any]:
    told = reply.json()
    if path.startswith("/v1/messages"):
        assert told["type"] == "error" and set(told["error"]) == {"type", "message"}
    else:
        assert set(told["error"]) == {"message", "type", "param", "code"}
    error: dict[str, Any] = told["error"]
    assert (error["message"] and error["type"].endswith("_error")) or error["type"] == "request_too_large"
    assert reply.headers["x-request-id"]
    return error


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"null", 400),
        (b'"text"', 400),
        (b"[]", 400),
        (b"\xff\xfe{}", 400),
        (b'{"model": "\\ud83d"}', 400),
        (b'{"temperature": NaN}', 400),
        (b"[" * 100_000, 400),
        (b" " * (MAX_BODY + 1), 413),
        (b'{"no_such_field": 1}', 400),
        ({"model": ["chat"]}, 400),
        ({"model": "gpt-5"}, 404),
    ],
)
def test_broken_bodies(room: Room, path: str, sent: Any, status: int) -> None:
    sent = BASE[path] | sent if isinstance(sent, dict) else sent
    reply = room.post(path, sent)
    assert reply.status == status, reply.body
    check_error(path, reply)
    assert room.model.orders == [] and room.model.embedded == []


@pytest.mark.parametrize("path", PATHS)
def test_unknown_fields_and_methods(room: Room, path: str) -> None:
    from luodi.testing import call

    reply = room.post(path, BASE[path] | {"no_such_field": 1})
    assert reply.status == 400 and "no_such_field" in check_error(path, reply)["message"]
    for method in ("GET", "PUT", "DELETE"):
        reply = asyncio.run(call(room.house.app, method, path, key=room.house.key))
        assert reply.status == 405 and reply.headers["allow"] == "POST"
        check_error(path, reply)


def deep(levels: int) -> Any:
    value: Any = {"type": "string"}
    for _ in range(levels):
        value = {"properties": {"a": value}}
    return value


SCHEMAS: list[Any] = [
    deep(400),
    {"type": 7},
    {"$ref": "#/$defs/missing"},
    {"$ref": "http://127.0.0.1:9/schema.json"},
    {"type": "string", "pattern": "("},
    {"type": "string", "pattern": "(?<!a+)b"},
    {"enum": []},
    {"minimum": 1e308},
    {"$ref": "#"},
    {"allOf": [{"$ref": "#"}]},
    {"$dynamicRef": "#x"},
    {"$schema": "http://json-schema.org/draft-04/schema#", "required": True},
    {"type": "object", "properties": {"a": {"type": "string", "format": 5}}},
]


@pytest.mark.parametrize("schema", SCHEMAS)
@pytest.mark.parametrize("says", ["{}", '"b"', "[[[]]]"])
def test_schemas_that_are_none(room: Room, schema: Any, says: str) -> None:
    room.model.says = [Piece(says), Piece(finish="stop")]
    sent = GOOD["/v1/chat/completions"] | {
        "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    }
    reply = room.post("/v1/chat/completions", sent)
    assert reply.status in (200, 400, 502), reply.body
    if reply.status != 200:
        assert check_error("", reply)["code"] != "internal_error"


@pytest.mark.parametrize(
    "change",
    [
        {"tools": [{"type": "function", "function": {"name": "x", "parameters": deep(300)}}]},
        {"response_format": {"type": "json_schema"}},
        {"response_format": {"type": "json_schema", "json_schema": [1]}},
        {"response_format": [1]},
        {"tool_choice": 7, "tools": [{"type": "function", "function": {"name": "x"}}]},
        {"logit_bias": deep(400)},
        {"n": 10**40},
        {"parallel_tool_calls": 5},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": deep(400)}]}]},
    ],
)
def test_options_that_can_not_be_passed_on(room: Room, change: dict[str, Any]) -> None:
    reply = room.post("/v1/chat/completions", GOOD["/v1/chat/completions"] | change)
    assert reply.status == 400, reply.body
    check_error("", reply)


def test_extras_of_an_image_are_not_passed_on(room: Room) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA", "x": deep(300)}, "y": deep(300)}
    sent = {"model": "chat", "messages": [{"role": "user", "content": [image]}]}
    assert room.post("/v1/chat/completions", sent).status == 200
    part = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}
    assert room.model.orders[0].messages[0].parts == (part,)


WORDS = [
    "user", "system", "assistant", "tool", "text", "hello", "chat", "helpdesk", "message", "function", "function_call",
    "function_call_output", "input_text", "input_image", "tool_use", "tool_result", "image", "json_schema", "auto",
    "any", "base64", "float", "https://x/y.png",
]  # fmt: skip
KEYS = [
    "role", "content", "type", "text", "name", "id", "call_id", "arguments", "output", "input", "source", "image_url",
    "url", "function", "parameters", "input_schema", "schema", "json_schema", "format", "tool_use_id", "user_id",
]  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.sampled_from(WORDS),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)
FIELDS = [
    "model", "messages", "prompt", "input", "instructions", "system", "stream", "stream_options", "max_tokens",
    "max_output_tokens", "max_completion_tokens", "temperature", "top_p", "top_k", "stop", "stop_sequences", "n",
    "seed", "tools", "tool_choice", "parallel_tool_calls", "response_format", "text", "logprobs", "top_logprobs",
    "logit_bias", "user", "metadata", "thinking", "output_config", "encoding_format", "dimensions", "include",
    "best_of", "echo", "store", "background", "frequency_penalty",
]  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from(PATHS),
    model=st.sampled_from(["chat", "helpdesk"]),
    changed=st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=3),
    whole=st.none() | JSON,
)
def test_no_json_makes_a_500(room: Room, path: str, model: str, changed: dict[str, Any], whole: Any) -> None:
    room.house.gateway.served.pools["chat"] = Pool("chat", [Model()])
    named = BASE[path] | ({"model": model} if path != "/v1/moderations" else {})
    reply = room.post(path, whole if whole is not None else named | changed)
    # 502: the scripted model keeps to no schema
    assert reply.status in (200, 400, 404) or (reply.status == 502 and b"invalid_model_output" in reply.body), (
        reply.body
    )
    if reply.status != 200:
        check_error(path, reply)
    elif not reply.headers["content-type"].startswith("text/event-stream"):
        assert json.loads(reply.body)
