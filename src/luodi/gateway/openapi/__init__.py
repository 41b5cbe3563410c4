"""The OpenAPI document of what is served: one table of operations, their requests and their responses."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from luodi.gateway.openapi.bodies import BODIES, LIST, NUMBER, OBJECT, TEXT, one_of, shape

Json = dict[str, Any]

COUNT: Json = {"type": "integer", "minimum": 0}
_FLAG: Json = {"type": "boolean"}
_ERROR = shape(
    error=shape(message=TEXT, type=TEXT, param=one_of(TEXT, {"type": "null"}), code=one_of(TEXT, {"type": "null"}))
)
_ANTHROPIC_ERROR = shape(type={"const": "error"}, error=shape(type=TEXT, message=TEXT))
_USAGE = shape(prompt_tokens=COUNT, completion_tokens=COUNT, total_tokens=COUNT)
_MODEL = shape(
    id=TEXT, object={"const": "model"}, created=COUNT, owned_by=TEXT, type={"const": "model"}, display_name=TEXT,
    created_at=TEXT,
)  # fmt: skip
_CHOICE = shape(index=COUNT, finish_reason=TEXT)
_EMBEDDING = shape(
    object={"const": "embedding"}, index=COUNT, embedding=one_of({"type": "array", "items": NUMBER}, TEXT)
)
_JUDGED = shape(flagged=_FLAG, categories=OBJECT, category_scores=OBJECT)

_RESPONSES: dict[str, Json] = {
    "/v1/chat/completions": shape(
        id=TEXT, object={"const": "chat.completion"}, created=COUNT, model=TEXT,
        choices={"type": "array", "items": _CHOICE, "minItems": 1}, usage=_USAGE, luodi=OBJECT,
    ),
    "/v1/completions": shape(
        id=TEXT, object={"const": "text_completion"}, created=COUNT, model=TEXT,
        choices={"type": "array", "items": _CHOICE, "minItems": 1}, usage=_USAGE, luodi=OBJECT,
    ),
    "/v1/embeddings": shape(
        object={"const": "list"}, data={"type": "array", "items": _EMBEDDING}, model=TEXT,
        usage=shape(prompt_tokens=COUNT, total_tokens=COUNT), luodi=OBJECT,
    ),
    "/v1/responses": shape(
        id=TEXT, object={"const": "response"}, created_at=COUNT, model=TEXT, output=LIST,
        status={"enum": ["completed", "incomplete"]},
        usage=shape(input_tokens=COUNT, output_tokens=COUNT, total_tokens=COUNT), luodi=OBJECT,
    ),
    "/v1/moderations": shape(id=TEXT, model=TEXT, results={"type": "array", "items": _JUDGED}, luodi=OBJECT),
    "/v1/messages": shape(
        id=TEXT, type={"const": "message"}, role={"const": "assistant"}, content=LIST, model=TEXT,
        stop_reason={"enum": ["end_turn", "max_tokens", "tool_use", "refusal"]},
        usage=shape(input_tokens=COUNT, output_tokens=COUNT), luodi=OBJECT,
    ),
    "/v1/messages/count_tokens": shape(input_tokens=COUNT, luodi=OBJECT),
}  # fmt: skip

_SUMMARIES = {
    "/v1/chat/completions": "A chat completion, whole or as server-sent events",
    "/v1/completions": "A completion, whole or as server-sent events",
    "/v1/embeddings": "Vectors of texts",
    "/v1/responses": "A response, whole or as typed server-sent events",
    "/v1/moderations": "What the guard's checks say of texts",
    "/v1/messages": "A message in Anthropic's form, whole or as its server-sent events",
    "/v1/messages/count_tokens": "How many tokens a message has",
}
_STREAMS = ("/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages")
_NO_CALL = ("/v1/messages/count_tokens",)  # asks no model, so nothing is held, charged or kept
_FAILURES = {
    "400": "the request is not as it should be",
    "401": "no key, or one that is not valid",
    "403": "the call may not leave our machines, or no price is known for its model",
    "404": "there is no such model",
    "409": "a request with this Idempotency-Key is being answered, or its answer is not kept",
    "413": "the body is too large",
    "422": "this Idempotency-Key came with another request before",
    "429": "over a limit or a budget of the key",
    "500": "the gateway made a mistake",
    "502": "the model failed",
    "503": "the gateway is full, or no model is well",
    "504": "the answer took too long",
}
_LIMIT_HEADERS = {
    f"x-ratelimit-{part}-{of}": {"schema": TEXT, "description": f"of the caller's own key: {part} of {of} a minute"}
    for part in ("limit", "remaining", "reset")
    for of in ("requests", "tokens")
}
_ID_HEADER = {"x-request-id": {"schema": TEXT, "required": True, "description": "the record of the call"}}
_ONCE = {
    "name": "Idempotency-Key", "in": "header", "required": False,
    "description": "the same request sent again within a day is answered from what was kept, and not charged again",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}  # fmt: skip


def _json(schema: Json) -> Json:
    return {"application/json": {"schema": schema}}


def _failures(names: list[str], error: str) -> Json:
    schema = {"$ref": f"#/components/schemas/{error}"}
    return {code: {"description": _FAILURES[code], "headers": _ID_HEADER, "content": _json(schema)} for code in names}


def _post(path: str) -> Json:
    content = _json(_RESPONSES[path])
    if path in _STREAMS:
        content["text/event-stream"] = {"schema": TEXT}
    anthropic = path.startswith("/v1/messages")
    failures = ["400", "401", "404", "413", "500"] if path in _NO_CALL else list(_FAILURES)
    headers = _ID_HEADER if path in _NO_CALL else _ID_HEADER | _LIMIT_HEADERS
    return {
        "operationId": path.removeprefix("/v1/").replace("/", "_"),
        "summary": _SUMMARIES[path],
        "parameters": [] if path in _NO_CALL else [_ONCE],
        "requestBody": {"required": True, "content": _json(BODIES[path])},
        "responses": {"200": {"description": "the answer", "headers": headers, "content": content}}
        | _failures(failures, "AnthropicError" if anthropic else "Error"),
    }


def _get(summary: str, operation: str, schema: Json, failures: list[str], **more: Any) -> Json:
    answer = {"description": "the answer", "content": _json(schema)}
    return {"get": {"operationId": operation, "summary": summary, "responses": {"200": answer}
                    | _failures(failures, "Error")} | more}  # fmt: skip


@lru_cache(maxsize=1)
def document() -> Json:
    """The document, for clients and for `schemathesis`; it needs no key."""
    from luodi import __version__

    paths: Json = {path: {"post": _post(path)} for path in BODIES}
    models = shape(object={"const": "list"}, data={"type": "array", "items": _MODEL}, has_more=_FLAG)
    name = {"name": "model", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
    paths["/v1/models"] = _get("What may be asked for", "models", models, ["401", "500"])
    paths["/v1/models/{model}"] = _get("One model", "model", _MODEL, ["401", "404", "500"], parameters=[name])
    paths["/health"] = _get("Whether the gateway serves, and what", "health", shape(status=TEXT, release=TEXT), ["500"],
                            security=[])  # fmt: skip
    paths["/openapi.json"] = _get("This document", "openapi", OBJECT, ["500"], security=[])
    return {
        "openapi": "3.1.0",
        "info": {"title": "Luodi gateway", "version": __version__, "license": {"name": "Apache-2.0"}},
        "security": [{"bearer": []}, {"header": []}],
        "paths": paths,
        "components": {
            "schemas": {"Error": _ERROR, "AnthropicError": _ANTHROPIC_ERROR},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "header": {"type": "apiKey", "in": "header", "name": "x-api-key"},
            },
        },
    }
