"""JSON schemas of the requests that surfaces take. They describe; what is refused, and how, is the surfaces' own."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

TEXT: Json = {"type": "string"}
NUMBER: Json = {"type": "number"}
OBJECT: Json = {"type": "object"}
LIST: Json = {"type": "array"}
_NAME: Json = {"type": "string", "minLength": 1}
_FLAG: Json = {"type": ["boolean", "null"]}
_TOKENS: Json = {"type": ["integer", "null"], "minimum": 1, "maximum": 1 << 20}
_USER: Json = {"type": ["string", "null"], "maxLength": 190}
_MODEL: Json = {"type": "string", "description": "a name out of /v1/models"}


def shape(*, optional: Json | None = None, closed: bool = False, **fields: Json) -> Json:
    """An object with `fields`, which it must have, and `optional` ones."""
    out: Json = {"type": "object", "required": list(fields), "properties": fields | (optional or {})}
    return out | ({"additionalProperties": False} if closed else {})


def one_of(*schemas: Json) -> Json:
    return {"anyOf": list(schemas)}


def many(items: Json, least: int = 0, most: int = 2048) -> Json:
    return {"type": "array", "items": items, "minItems": least, "maxItems": most}


def _between(low: float, high: float) -> Json:
    return {"type": ["number", "null"], "minimum": low, "maximum": high}


_STOP = one_of(_NAME, many(_NAME, 0, 4), {"type": "null"})
_FUNCTION = shape(name=_NAME, optional={"description": TEXT, "parameters": OBJECT, "strict": _FLAG})
_TOOL = shape(type={"const": "function"}, function=_FUNCTION)
_CHOICE = one_of(
    {"enum": ["none", "auto", "required", None]}, shape(type={"const": "function"}, function=shape(name=_NAME))
)
_SCHEMA = shape(name=_NAME, schema=OBJECT, optional={"strict": _FLAG, "description": TEXT})
_FORMAT = one_of(
    {"type": "null"},
    shape(type={"enum": ["text", "json_object"]}),
    shape(type={"const": "json_schema"}, json_schema=_SCHEMA),
)
_IMAGE = shape(
    type={"const": "image_url"},
    image_url=shape(url={"type": "string", "pattern": "^(data:image/|https://)"}, optional={"detail": TEXT}),
)
_PARTS = many(one_of(shape(type={"const": "text"}, text=TEXT), _IMAGE), 1)
_CALL = shape(id=TEXT, type={"const": "function"}, function=shape(name=TEXT, arguments=TEXT))
_MESSAGE = one_of(
    shape(role={"enum": ["system", "developer"]}, content=TEXT),
    shape(role={"const": "user"}, content=one_of(TEXT, _PARTS)),
    shape(role={"const": "assistant"}, content=TEXT, optional={"tool_calls": many(_CALL, 1)}),
    shape(role={"const": "tool"}, content=TEXT, tool_call_id=_NAME),
)
_SAMPLING: Json = {
    "temperature": _between(0, 2),
    "top_p": _between(0, 1),
    "seed": {"type": ["integer", "null"], "minimum": -(2**63), "maximum": 2**63 - 1},
    "stop": _STOP,
    "n": {"type": ["integer", "null"], "minimum": 1, "maximum": 16},
    "frequency_penalty": _between(-2, 2),
    "presence_penalty": _between(-2, 2),
    "logit_bias": {"type": ["object", "null"], "additionalProperties": NUMBER},
    "user": _USER,
    "stream": _FLAG,
    "stream_options": {"type": ["object", "null"], "properties": {"include_usage": {"type": "boolean"}}},
}
_CHAT = shape(
    closed=True, model=_MODEL, messages=many(_MESSAGE, 1),
    optional=_SAMPLING | {
        "max_tokens": _TOKENS, "max_completion_tokens": _TOKENS, "tools": many(_TOOL, 0, 256), "tool_choice": _CHOICE,
        "parallel_tool_calls": _FLAG, "response_format": _FORMAT, "logprobs": _FLAG,
        "top_logprobs": {"type": ["integer", "null"], "minimum": 0, "maximum": 20},
        "metadata": {"type": ["object", "null"]}, "store": _FLAG, "service_tier": {"type": ["string", "null"]},
        "safety_identifier": {}, "prompt_cache_key": {}, "reasoning_effort": {}, "verbosity": {}, "prediction": {},
    },
)  # fmt: skip
_PROMPT: Json = {"type": "string", "pattern": "\\S"}
_COMPLETION = shape(
    closed=True, model=_MODEL, prompt=one_of(_PROMPT, many(_PROMPT, 1, 32)),
    optional=_SAMPLING | {
        "max_tokens": _TOKENS, "logprobs": {"type": ["integer", "null"], "minimum": 0, "maximum": 5},
        "best_of": {"type": "null"},
    },
)  # fmt: skip
_EMBEDDING = shape(
    closed=True, model=_MODEL, input=one_of(_NAME, many(_NAME, 1)),
    optional={"encoding_format": {"enum": ["float", "base64", None]}, "user": _USER},
)  # fmt: skip
_MODERATION = shape(
    closed=True,
    input=one_of(_NAME, many(one_of(_NAME, shape(type={"const": "text"}, text=_NAME)), 1, 256)),
    optional={"model": {"type": ["string", "null"]}},
)

_INPUT_PARTS = many(
    one_of(
        shape(type={"enum": ["input_text", "output_text"]}, text=TEXT),
        shape(type={"const": "input_image"}, image_url=_IMAGE["properties"]["image_url"]["properties"]["url"]),
    ),
    1,
)
_ITEM = one_of(
    shape(
        role={"enum": ["user", "assistant", "system", "developer"]}, content=one_of(TEXT, _INPUT_PARTS),
        optional={"type": {"const": "message"}},
    ),
    shape(type={"const": "function_call"}, call_id=TEXT, name=TEXT, arguments=TEXT),
    shape(type={"const": "function_call_output"}, call_id=TEXT, output=TEXT),
    shape(type={"const": "reasoning"}),
)  # fmt: skip
_TEXT_FORMAT = one_of(
    shape(type={"enum": ["text", "json_object"]}),
    shape(type={"const": "json_schema"}, name=_NAME, schema=OBJECT, optional={"strict": _FLAG}),
)
_RESPONSE = shape(
    closed=True, model=_MODEL, input=one_of(TEXT, many(_ITEM, 1)),
    optional={k: _SAMPLING[k] for k in ("temperature", "top_p", "user", "stream", "stream_options")} | {
        "instructions": {"type": ["string", "null"]}, "max_output_tokens": _TOKENS,
        "tools": many(_FUNCTION | {"properties": _FUNCTION["properties"] | {"type": {"const": "function"}}}, 0, 256),
        "tool_choice": one_of({"enum": ["none", "auto", "required", None]},
                              shape(type={"const": "function"}, name=_NAME)),
        "parallel_tool_calls": _FLAG, "text": shape(optional={"format": _TEXT_FORMAT, "verbosity": {}}, closed=True),
        "top_logprobs": {"type": ["integer", "null"], "minimum": 0, "maximum": 20}, "include": many(TEXT),
        "metadata": {"type": ["object", "null"]}, "store": _FLAG, "truncation": {"enum": ["disabled", None]},
        "service_tier": {}, "safety_identifier": {}, "prompt_cache_key": {}, "prompt_cache_retention": {},
        "reasoning": {}, "max_tool_calls": {},
    },
)  # fmt: skip

_TEXT_BLOCK = shape(type={"const": "text"}, text=TEXT)
_SOURCE = one_of(
    shape(type={"const": "base64"}, media_type={"type": "string", "pattern": "^image/"}, data=TEXT),
    shape(type={"const": "url"}, url={"type": "string", "pattern": "^https://"}),
)
_BLOCKS = many(
    one_of(
        _TEXT_BLOCK,
        shape(type={"const": "image"}, source=_SOURCE),
        shape(type={"const": "tool_result"}, tool_use_id=_NAME, optional={"content": one_of(TEXT, many(_TEXT_BLOCK))}),
    ),
    1,
)
_SAID = many(one_of(_TEXT_BLOCK, shape(type={"const": "tool_use"}, id=TEXT, name=TEXT, input=OBJECT)), 1)
_TURN = one_of(
    shape(role={"const": "user"}, content=one_of(TEXT, _BLOCKS)),
    shape(role={"const": "assistant"}, content=one_of(TEXT, _SAID)),
)
_COUNTED: Json = {
    "system": one_of(TEXT, many(_TEXT_BLOCK)),
    "tools": many(shape(name=_NAME, input_schema=OBJECT, optional={"description": TEXT}), 0, 256),
    "tool_choice": one_of(
        shape(type={"enum": ["auto", "any", "none"]}, optional={"disable_parallel_tool_use": _FLAG}),
        shape(type={"const": "tool"}, name=_NAME),
    ),
    "thinking": shape(type={"const": "disabled"}),
    "cache_control": {},
}
_MESSAGES = shape(
    closed=True, model=_MODEL, messages=many(_TURN, 1), max_tokens=_TOKENS | {"type": "integer"},
    optional=_COUNTED | {
        "stop_sequences": many(_NAME, 0, 4), "stream": _FLAG, "temperature": _between(0, 1), "top_p": _between(0, 1),
        "metadata": {"type": ["object", "null"], "properties": {"user_id": _USER}}, "service_tier": {},
        "inference_geo": {},
    },
)  # fmt: skip

BODIES: dict[str, Json] = {
    "/v1/chat/completions": _CHAT,
    "/v1/completions": _COMPLETION,
    "/v1/embeddings": _EMBEDDING,
    "/v1/responses": _RESPONSE,
    "/v1/moderations": _MODERATION,
    "/v1/messages": _MESSAGES,
    "/v1/messages/count_tokens": shape(closed=True, model=_MODEL, messages=many(_TURN, 1), optional=_COUNTED),
}
