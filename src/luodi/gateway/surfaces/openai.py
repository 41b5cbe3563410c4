"""OpenAI's chat completions: from JSON to a call, from a reply to JSON or server-sent events."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from luodi.engine import Message, Sampling
from luodi.gateway.call import Call, Reply
from luodi.gateway.core import Gateway
from luodi.gateway.problem import Problem, has_half, internal, invalid

_ROLES = ("system", "developer", "user", "assistant", "tool")
_IGNORED = {
    "user",
    "metadata",
    "store",
    "service_tier",
    "parallel_tool_calls",
    "safety_identifier",
    "prompt_cache_key",
    "seed",
}
_NEUTRAL = {"frequency_penalty", "presence_penalty"}  # taken as long as they ask for nothing
_KNOWN = {
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
} | _IGNORED
_NOT_YET = {
    "tools",
    "tool_choice",
    "functions",
    "function_call",
    "response_format",
    "logprobs",
    "top_logprobs",
    "logit_bias",
    "audio",
    "modalities",
}

_log = logging.getLogger("luodi.gateway")


def parse(gateway: Gateway, body: Any, secret: str) -> tuple[Call, bool, bool]:
    """(call, whether to stream, whether to send usage in the stream).

    Raises:
        Problem: names the field and what was expected.
    """
    if not isinstance(body, dict):
        raise invalid("the body must be a JSON object")
    for name in body:
        if name in _NOT_YET and body[name] not in (None, False, "none", [], {"type": "text"}):
            raise invalid(f"this release does not take {name!r}", name, "unsupported_parameter")
        if name in _NEUTRAL and body[name] not in (None, 0):
            raise invalid(f"this release does not take {name!r}", name, "unsupported_parameter")
        if name not in _KNOWN | _NOT_YET | _NEUTRAL and body[name] is not None:
            raise invalid(f"unknown field {name!r}", name, "unknown_parameter")
    model = body.get("model")
    if not isinstance(model, str):
        raise invalid("'model' must be a string", "model")
    known = model_names(gateway)
    if model not in known:
        raise Problem(
            404,
            "not_found_error",
            f"there is no model {model!r}; there is {known[0]!r}",
            param="model",
            code="model_not_found",
        )
    if body.get("n") not in (None, 1):
        raise invalid("this release gives one answer: 'n' must be 1", "n")
    if body.get("stream") not in (None, True, False):
        raise invalid("'stream' must be true or false", "stream")
    options = body.get("stream_options") or {}
    if not isinstance(options, dict):
        raise invalid("'stream_options' must be an object", "stream_options")
    call = gateway.call(
        _messages(body.get("messages")), _sampling(gateway, body), surface="openai.chat", model=model, secret=secret
    )
    return call, body.get("stream") is True, options.get("include_usage") is True


def model_names(gateway: Gateway) -> list[str]:
    """Names by which the release can be asked for."""
    return [gateway.served.release.partition("@")[0], gateway.served.release]


def _messages(value: Any) -> tuple[Message, ...]:
    if not isinstance(value, list) or not value:
        raise invalid("'messages' must be a list with at least one message", "messages")
    messages = []
    for i, item in enumerate(value):
        where = f"messages[{i}]"
        if not isinstance(item, dict) or item.get("role") not in _ROLES:
            raise invalid(f"{where} needs a 'role' out of {', '.join(_ROLES)}", f"{where}.role")
        content = item.get("content")
        if isinstance(content, list):
            texts = [p.get("text") if isinstance(p, dict) and p.get("type") == "text" else None for p in content]
            if any(not isinstance(t, str) for t in texts):
                raise invalid(f"{where}: this release takes text only", f"{where}.content", "unsupported_content")
            content = "\n".join(str(t) for t in texts)
        if not isinstance(content, str):
            raise invalid(f"{where}.content must be a string", f"{where}.content")
        if has_half(content):
            raise invalid(f"{where}.content holds half of a surrogate pair", f"{where}.content")
        role: Any = "system" if item["role"] == "developer" else item["role"]
        messages.append(Message(role, content))
    return tuple(messages)


def _number(body: dict[str, Any], name: str, low: float, high: float) -> float | None:
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise invalid(f"{name!r} must be a number from {low:g} to {high:g}", name)
    return float(value)


def _sampling(gateway: Gateway, body: dict[str, Any]) -> Sampling:
    ceiling = int(gateway.served.options["max_answer_tokens"])
    asked = _number(body, "max_completion_tokens", 1, 1 << 20) or _number(body, "max_tokens", 1, 1 << 20) or ceiling
    stop = body.get("stop") or []
    stop = [stop] if isinstance(stop, str) else stop
    if not isinstance(stop, list) or len(stop) > 4 or any(not isinstance(s, str) or not s or has_half(s) for s in stop):
        raise invalid("'stop' must be a string or up to four of them", "stop")
    top_p = _number(body, "top_p", 0, 1)
    seed = _number(body, "seed", -(2**63), 2**63)
    return Sampling(
        max_tokens=min(int(asked), ceiling),
        temperature=_number(body, "temperature", 0, 2) or 0.0,
        top_p=1.0 if top_p is None else top_p,
        stop=tuple(stop),
        seed=int(seed or 0) & 0x7FFFFFFF,
    )


def extra(call: Call, reply: Reply, release: str) -> dict[str, Any]:
    """What Luodi adds to OpenAI's form, under the key `luodi`."""
    o = reply.outcome
    return {
        "kind": o.kind,
        "release": release,
        "record": call.id,
        "cached": o.cached,
        "citations": [c.as_dict() for c in o.citations],
        "nearest": [c.as_dict() for c in o.nearest],
        "checks": o.checks,
        "verdicts": [
            {"check": v.check, "version": v.version, "ran": v.ran, "score": round(v.score, 3), "action": v.action}
            for v in o.verdicts
        ],
        "label": o.label,
    }


def _usage(reply: Reply) -> dict[str, int]:
    o = reply.outcome
    return {
        "prompt_tokens": o.prompt_tokens,
        "completion_tokens": o.completion_tokens,
        "total_tokens": o.prompt_tokens + o.completion_tokens,
    }


def _finish(reply: Reply) -> str:
    return reply.outcome.finish if reply.outcome.finish in ("stop", "length", "content_filter") else "stop"


async def whole(call: Call, reply: Reply, release: str) -> dict[str, Any]:
    """The answer as one JSON value."""
    parts = []
    async with aclosing(reply.text) as pieces:
        async for piece in pieces:
            parts.append(piece)
    text = "".join(parts)
    annotations = [
        {
            "type": "url_citation",
            "url_citation": {
                "url": f"{c.source}#{c.path}:{c.line}", "title": c.title,
                "start_index": text.find(f"[{c.number}]"),
                "end_index": text.find(f"[{c.number}]") + len(f"[{c.number}]"),
            },
        }
        for c in reply.outcome.citations
    ]  # fmt: skip
    return {
        "id": call.id,
        "object": "chat.completion",
        "created": int(time.time()),
        "model": release,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text, "refusal": None, "annotations": annotations},
                "logprobs": None,
                "finish_reason": _finish(reply),
            }
        ],
        "usage": _usage(reply),
        "luodi": extra(call, reply, release),
    }


async def events(call: Call, reply: Reply, release: str, *, usage: bool) -> AsyncGenerator[bytes, None]:
    """The answer as server-sent events. A failure on the way is an event too, since the status is long sent."""
    common = {"id": call.id, "object": "chat.completion.chunk", "created": int(time.time()), "model": release}

    def event(delta: dict[str, Any], finish: str | None = None, **more: Any) -> bytes:
        chunk = common | {"choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]} | more
        return b"data: " + json.dumps(chunk, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"

    tail = {"usage": None} if usage else {}
    try:
        async with aclosing(reply.text) as pieces:
            yield event({"role": "assistant", "content": ""}, **tail)
            async for piece in pieces:
                yield event({"content": piece}, **tail)
    except Problem as problem:
        yield b"data: " + json.dumps(problem.body()).encode() + b"\n\n"
        return
    except Exception:  # a mistake of ours: the caller gets an error object, the log gets the rest
        _log.exception("a call failed on the way")
        yield b"data: " + json.dumps(internal().body()).encode() + b"\n\n"
        return
    yield event({}, _finish(reply), luodi=extra(call, reply, release), **tail)
    if usage:
        yield b"data: " + json.dumps(common | {"choices": [], "usage": _usage(reply)}).encode() + b"\n\n"
    yield b"data: [DONE]\n\n"
