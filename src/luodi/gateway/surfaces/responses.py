"""OpenAI's responses. Nothing is kept to be asked for later: every request brings its whole conversation."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from luodi.gateway.call import Call, Reply
from luodi.gateway.core import Gateway
from luodi.gateway.problem import Problem, invalid
from luodi.gateway.surfaces.base import Base, citations_in, luodi_part, named, shown_model
from luodi.gateway.surfaces.checks import (
    check_fields,
    flag,
    model_of,
    number,
    object_of,
    part,
    passed_options,
    sampling,
    text,
    user_of,
)
from luodi.gateway.surfaces.responses_in import NAMES, messages_from, options_from
from luodi.gateway.surfaces.responses_out import Items

_OWN = {
    "model", "input", "instructions", "stream", "stream_options", "tools", "tool_choice", "parallel_tool_calls", "text",
    "max_output_tokens", "temperature", "top_p", "top_logprobs", "include", "user", "metadata",
}  # fmt: skip
_IGNORED = {
    "store", "service_tier", "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "reasoning",
    "max_tool_calls",
}  # fmt: skip
_NOT_KEPT = "responses are not kept here; send the whole conversation in 'input'"
_REFUSED = {
    "previous_response_id": _NOT_KEPT,
    "conversation": _NOT_KEPT,
    "background": "a response is made while its caller waits",
    "prompt": "templates of prompts are kept in a release",
}
_UNFINISHED = {"length": "max_output_tokens", "content_filter": "content_filter"}


class Responses(Base):
    """One response."""

    def __init__(self, gateway: Gateway) -> None:
        super().__init__(gateway)
        self._asked: dict[str, Any] = {}
        self._created = int(time.time())
        self._number = 0  # of the next event
        self._call: Call | None = None

    def parse(self, body: Any, secret: str, headers: dict[str, str]) -> Call:
        body = self._asked = object_of(body)
        check_fields(body, _OWN | _IGNORED, _REFUSED)
        if body.get("truncation") not in (None, "disabled"):
            raise invalid("a conversation is never cut here", "truncation", "unsupported_parameter")
        model = model_of(self._gateway, body)
        task = self._gateway.names()[model]
        self.stream = flag(body, "stream")
        part(body, "stream_options"), part(body, "metadata"), flag(body, "store")
        options = passed_options(options_from(body), task, NAMES)
        messages = messages_from(body.get("input"), text(body, "instructions"))
        if task == "answer" and any(m.parts for m in messages):
            raise invalid("answers from documents take text only", "input", "unsupported_content")
        self._call = self._gateway.call(
            messages, sampling(self._gateway, body, model, asked=number(body, "max_output_tokens", 1, 1 << 20)),
            surface="openai.responses", model=model, task=task, secret=secret, stream=self.stream, options=options,
            user=user_of(body),
        )  # fmt: skip
        return self._call

    async def whole(self, call: Call, reply: Reply) -> dict[str, Any]:
        items = Items(call.id)
        async with aclosing(reply.pieces) as pieces:
            async for piece in pieces:
                if not piece.index:
                    for _ in items.feed(piece):
                        pass
        return self._ended(call, reply, items)

    async def _events(self, call: Call, reply: Reply) -> AsyncGenerator[bytes, None]:
        begun = self._response(call, "in_progress")
        yield self._event("response.created", {"response": begun})
        yield self._event("response.in_progress", {"response": begun})
        items = Items(call.id)
        async with aclosing(reply.pieces) as pieces:
            async for piece in pieces:
                if not piece.index:
                    for kind, value in items.feed(piece):
                        yield self._event(kind, value)
        ended = self._ended(call, reply, items)
        for kind, value in items.finish():
            yield self._event(kind, value)
        yield self._event(f"response.{ended['status']}", {"response": ended})

    def _failure(self, problem: Problem) -> bytes:
        code = problem.code or problem.kind
        told = {"code": code, "message": problem.message, "param": problem.param}
        error = {"code": "rate_limit_exceeded" if problem.status == 429 else "server_error", "message": problem.message}
        assert self._call is not None
        failed = self._response(self._call, "failed") | {"error": error}
        return self._event("error", told) + self._event("response.failed", {"response": failed})

    def _event(self, kind: str, value: dict[str, Any]) -> bytes:
        self._number += 1
        return named(kind, {"sequence_number": self._number - 1} | value)

    def _ended(self, call: Call, reply: Reply, items: Items) -> dict[str, Any]:
        o = reply.outcome
        items.annotations = [{"type": "url_citation"} | c for c in citations_in(reply, items.text)]
        why = _UNFINISHED.get(o.finish)
        items.status = "incomplete" if why else "completed"
        return self._response(call, items.status) | {
            "incomplete_details": {"reason": why} if why else None,
            "output": items.done(),
            "usage": {
                "input_tokens": o.prompt_tokens,
                "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
                "output_tokens": o.completion_tokens,
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": o.prompt_tokens + o.completion_tokens,
            },
            "luodi": luodi_part(call, reply),
        }

    def _response(self, call: Call, status: str) -> dict[str, Any]:
        asked = self._asked
        return {
            "id": f"resp_{call.id.removeprefix('rec_')}",
            "object": "response",
            "created_at": self._created,
            "completed_at": int(time.time()) if status == "completed" else None,
            "status": status,
            "background": False,
            "error": None,
            "incomplete_details": None,
            "instructions": asked.get("instructions"),
            "max_output_tokens": asked.get("max_output_tokens"),
            "max_tool_calls": None,
            "model": shown_model(call),
            "output": [],
            "parallel_tool_calls": asked.get("parallel_tool_calls") is not False,
            "previous_response_id": None,
            "prompt_cache_key": None,
            "reasoning": {"effort": None, "summary": None},
            "safety_identifier": None,
            "service_tier": "default",
            "store": False,
            "temperature": call.sampling.temperature,
            "text": {"format": (asked.get("text") or {}).get("format") or {"type": "text"}},
            "tool_choice": asked.get("tool_choice") or "auto",
            "tools": asked.get("tools") or [],
            "top_logprobs": int(asked.get("top_logprobs") or 0),
            "top_p": call.sampling.top_p,
            "truncation": "disabled",
            "usage": None,
            "user": asked.get("user"),
            "metadata": asked.get("metadata") or {},
        }
