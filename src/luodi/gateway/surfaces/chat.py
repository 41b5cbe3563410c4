"""OpenAI's chat completions: from JSON to a call, from a reply to JSON or server-sent events."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from luodi.gateway.call import Call, Piece, Reply
from luodi.gateway.core import Gateway
from luodi.gateway.problem import Problem, internal, invalid
from luodi.gateway.surfaces.base import (
    Base,
    citations_in,
    data,
    gather,
    gather_tools,
    log,
    luodi_part,
    shown_model,
    usage_of,
)
from luodi.gateway.surfaces.checks import (
    PASSED,
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
from luodi.gateway.surfaces.messages_in import messages_of
from luodi.gateway.wire import dump

_IGNORED = {
    "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key", "reasoning_effort", "verbosity",
    "prediction",
}  # fmt: skip
_OWN = {
    "model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens", "temperature", "top_p",
    "stop", "seed", "user",
}  # fmt: skip
_REFUSED = {
    "functions": "write 'tools'",
    "function_call": "write 'tool_choice'",
    "audio": "answers are text",
    "modalities": "answers are text",
    "web_search_options": "nothing is searched in the web",
}
_KNOWN = _IGNORED | PASSED | _OWN


class Chat(Base):
    """One chat completion."""

    def __init__(self, gateway: Gateway) -> None:
        super().__init__(gateway)
        self._usage = False

    def parse(self, body: Any, secret: str, headers: dict[str, str]) -> Call:
        body = object_of(body)
        check_fields(body, _KNOWN, _REFUSED)
        model = model_of(self._gateway, body)
        task = self._gateway.names()[model]
        self.stream = flag(body, "stream")
        self._usage = part(body, "stream_options").get("include_usage") is True
        passed = passed_options(body, task)
        asked = number(body, "max_completion_tokens", 1, 1 << 20) or number(body, "max_tokens", 1, 1 << 20)
        user = user_of(body)
        messages = messages_of(body.get("messages"))
        if task == "answer" and (i := next((i for i, m in enumerate(messages) if m.parts), None)) is not None:
            raise invalid("answers from documents take text only", f"messages[{i}].content", "unsupported_content")
        return self._gateway.call(
            messages, sampling(self._gateway, body, model, asked=asked),
            surface="openai.chat", model=model, task=task, secret=secret, stream=self.stream, options=passed,
            user=user,
        )  # fmt: skip

    async def whole(self, call: Call, reply: Reply) -> dict[str, Any]:
        found, text = await gather(reply)
        choices = [_choice(index, found[index], reply) for index in sorted(found)] or [_choice(0, [], reply)]
        if reply.outcome.citations:
            choices[0]["message"]["annotations"] = [
                {"type": "url_citation", "url_citation": c} for c in citations_in(reply, text)
            ]
        return {
            "id": call.id, "object": "chat.completion", "created": int(time.time()), "model": shown_model(call),
            "choices": choices, "usage": usage_of(reply), "luodi": luodi_part(call, reply),
        }  # fmt: skip

    async def events(self, call: Call, reply: Reply) -> AsyncGenerator[bytes, None]:
        # Not by way of `_events`: one generator less around every piece of the most used stream.
        common = {
            "id": call.id,
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": shown_model(call),
        }
        head = dump(common)[:-1]
        tail = b',"usage":null}\n\n' if self._usage else b"}\n\n"
        begun: set[int] = set()
        ended: set[int] = set()
        try:
            async with aclosing(reply.pieces) as pieces:
                async for piece in pieces:
                    lead = b""
                    if piece.index not in begun:
                        begun.add(piece.index)
                        lead = _event(head, tail, piece.index, {"role": "assistant", "content": ""})
                    if piece.text or piece.tool is not None or piece.logprobs:
                        lead += _event(head, tail, piece.index, _delta(piece), logprobs=piece.logprobs)
                    if piece.finish and piece.index:
                        ended.add(piece.index)
                        lead += _event(head, tail, piece.index, {}, finish=piece.finish)
                    if lead:
                        yield lead
        except Problem as problem:
            self.failed = True
            yield self._failure(problem)
            return
        except Exception:  # a mistake of ours: the caller gets an error object, the log gets the rest
            log.exception("a call failed on the way")
            self.failed = True
            yield self._failure(internal())
            return
        if 0 not in begun:
            yield _event(head, tail, 0, {"role": "assistant", "content": ""})
        # The end of the first choice comes last of all: with it goes what became of the call.
        more = b',"luodi":' + dump(luodi_part(call, reply)) + tail
        yield _event(head, more, 0, {}, finish=finish_of(reply.outcome.finish))
        if self._usage:
            yield data(common | {"choices": [], "usage": usage_of(reply)})
        yield b"data: [DONE]\n\n"


def finish_of(reason: str) -> str:
    return reason if reason in ("stop", "length", "content_filter", "tool_calls") else "stop"


def _event(
    head: bytes, tail: bytes, index: int, delta: dict[str, Any], *, finish: str = "", logprobs: Any = None
) -> bytes:
    body = b'{"index":%d,"delta":%s,"logprobs":%s,"finish_reason":%s}' % (
        index, dump(delta), dump(logprobs) if logprobs else b"null", b'"%s"' % finish.encode() if finish else b"null",
    )  # fmt: skip
    return b"data: " + head + b',"choices":[' + body + b"]" + tail


def _delta(piece: Piece) -> dict[str, Any]:
    if piece.tool is None:
        return {"content": piece.text}
    tool = piece.tool
    function = {"arguments": tool["arguments"]} | ({"name": tool["name"]} if tool["name"] else {})
    call = {"index": tool["index"], "function": function}
    if tool["id"]:
        call |= {"id": tool["id"], "type": "function"}
    return {"tool_calls": [call]} | ({"content": piece.text} if piece.text else {})


def _choice(index: int, pieces: list[Piece], reply: Reply) -> dict[str, Any]:
    text = "".join(p.text for p in pieces)
    tools = gather_tools(pieces)
    finish = next((p.finish for p in reversed(pieces) if p.finish), "") or reply.outcome.finish
    if index == 0:
        finish = reply.outcome.finish
    message: dict[str, Any] = {"role": "assistant", "content": text if text or not tools else None, "refusal": None,
                               "annotations": []}  # fmt: skip
    if tools:
        message["tool_calls"] = tools
    logprobs = join_logprobs([p.logprobs for p in pieces if p.logprobs])
    return {"index": index, "message": message, "logprobs": logprobs, "finish_reason": finish_of(finish)}


def join_logprobs(parts: list[dict[str, Any]]) -> dict[str, Any] | None:
    if not parts:
        return None
    return {
        "content": [t for p in parts for t in p.get("content") or []],
        "refusal": [t for p in parts for t in p.get("refusal") or []] or None,
    }
