"""Anthropic's messages: from blocks to a call, from a reply to blocks or to their events."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import Any

from luodi.gateway.call import Call, Piece, Reply
from luodi.gateway.problem import Problem, invalid
from luodi.gateway.surfaces.anthropic_in import NAMES, error_of, messages_from, options_from
from luodi.gateway.surfaces.base import Base, gather, gather_tools, luodi_part, named, shown_model
from luodi.gateway.surfaces.checks import (
    check_fields,
    flag,
    model_of,
    number,
    object_of,
    part,
    passed_options,
    sampling,
    user_of,
)

_OWN = {
    "model", "messages", "max_tokens", "system", "stop_sequences", "stream", "temperature", "top_p", "tools",
    "tool_choice", "metadata", "output_config", "output_format",
}  # fmt: skip
_IGNORED = {"service_tier", "cache_control", "inference_geo"}
_REFUSED = {
    "top_k": "the models behind this gateway are asked in OpenAI's form, which has no such parameter",
    "mcp_servers": "tools of the caller's own are taken",
    "container": "nothing is run here",
    "context_management": "a conversation is never cut here",
}
_STOPPED = {"length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}


class Messages(Base):
    """One message."""

    id_headers: tuple[bytes, ...] = (b"x-request-id", b"request-id")

    def parse(self, body: Any, secret: str, headers: dict[str, str]) -> Call:
        body = object_of(body)
        check_fields(body, _OWN | _IGNORED | {"thinking"}, _REFUSED)
        if part(body, "thinking").get("type") not in (None, "disabled"):
            raise invalid("'thinking' can't be asked for here", "thinking", "unsupported_parameter")
        model = model_of(self._gateway, body)
        task = self._gateway.names()[model]
        self.stream = flag(body, "stream")
        asked = number(body, "max_tokens", 1, 1 << 20)
        if asked is None:
            raise invalid("'max_tokens' is required", "max_tokens")
        options = passed_options(options_from(body), task, NAMES)
        messages = messages_from(body)
        if task == "answer" and any(m.parts for m in messages):
            raise invalid("answers from documents take text only", "messages", "unsupported_content")
        return self._gateway.call(
            messages, sampling(self._gateway, body, model, asked=asked, stop="stop_sequences", hottest=1.0),
            surface="anthropic.messages", model=model, task=task, secret=secret, stream=self.stream, options=options,
            user=user_of(part(body, "metadata"), "user_id"),
        )  # fmt: skip

    async def whole(self, call: Call, reply: Reply) -> dict[str, Any]:
        found, text = await gather(reply)
        content: list[dict[str, Any]] = [{"type": "text", "text": text, "citations": None}] if text else []
        for tool in gather_tools(found.get(0, [])):
            function = tool["function"]
            content.append({"type": "tool_use", "id": tool["id"], "name": function["name"],
                            "input": _input(function["arguments"])})  # fmt: skip
        return _message(call, reply) | {
            "content": content,
            "stop_reason": _STOPPED.get(reply.outcome.finish, "end_turn"),
            "luodi": luodi_part(call, reply),
        }

    async def _events(self, call: Call, reply: Reply) -> AsyncGenerator[bytes, None]:
        yield named("message_start", {"message": _message(call, reply)})
        yield named("ping", {})
        open_ = False
        tools: list[Piece] = []
        async with aclosing(reply.pieces) as pieces:
            async for piece in pieces:
                if piece.index:
                    continue
                if piece.text:
                    if not open_:
                        open_ = True
                        yield _begin(0, {"type": "text", "text": ""})
                    yield _delta(0, {"type": "text_delta", "text": piece.text})
                if piece.tool is not None:
                    # A block ends before the next begins, and the guard may let go of text at the very last.
                    tools.append(piece)
        if open_ or not tools:
            if not open_:
                yield _begin(0, {"type": "text", "text": ""})
            yield named("content_block_stop", {"index": 0})
        for event in _tools(gather_tools(tools), first=int(open_)):
            yield event
        usage = _message(call, reply)["usage"]
        stop = {"stop_reason": _STOPPED.get(reply.outcome.finish, "end_turn"), "stop_sequence": None}
        yield named("message_delta", {"delta": stop, "usage": usage, "luodi": luodi_part(call, reply)})
        yield named("message_stop", {})

    def _failure(self, problem: Problem) -> bytes:
        return named("error", error_of(problem))

    def problem(self, problem: Problem) -> dict[str, Any]:
        return error_of(problem)


def _message(call: Call, reply: Reply) -> dict[str, Any]:
    o = reply.outcome
    return {
        "id": f"msg_{call.id.removeprefix('rec_')}", "type": "message", "role": "assistant",
        "model": shown_model(call), "content": [], "stop_reason": None, "stop_sequence": None,
        "usage": {
            "input_tokens": o.prompt_tokens, "output_tokens": o.completion_tokens, "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
        },
    }  # fmt: skip


def _input(arguments: str) -> dict[str, Any]:
    """Raises: Problem if the model wrote no JSON object."""
    try:
        made = json.loads(arguments or "{}")
    except (ValueError, RecursionError) as error:
        raise _no_input(arguments) from error
    if not isinstance(made, dict):
        raise _no_input(arguments)
    return made


def _no_input(arguments: str) -> Problem:
    return Problem(
        502, "upstream_error", f"the model called a tool with what is no JSON object: {arguments[:100]!r}",
        code="invalid_model_output",
    )  # fmt: skip


def _tools(calls: list[dict[str, Any]], *, first: int) -> Iterator[bytes]:
    for index, call in enumerate(calls, start=first):
        function = call["function"]
        yield _begin(index, {"type": "tool_use", "id": call["id"], "name": function["name"], "input": {}})
        yield _delta(index, {"type": "input_json_delta", "partial_json": function["arguments"]})
        yield named("content_block_stop", {"index": index})


def _begin(index: int, block: dict[str, Any]) -> bytes:
    return named("content_block_start", {"index": index, "content_block": block})


def _delta(index: int, delta: dict[str, Any]) -> bytes:
    return named("content_block_delta", {"index": index, "delta": delta})
