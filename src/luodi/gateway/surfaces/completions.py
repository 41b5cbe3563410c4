"""OpenAI's completions, the old form: a prompt is what the user says, its choices are what the model answers."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from luodi.engine import Message
from luodi.gateway.call import Call, Reply
from luodi.gateway.core import Gateway
from luodi.gateway.problem import has_half, invalid
from luodi.gateway.surfaces.base import Base, data, gather, luodi_part, shown_model, usage_of
from luodi.gateway.surfaces.chat import finish_of
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
    "model", "prompt", "stream", "stream_options", "max_tokens", "temperature", "top_p", "stop", "seed", "user", "n",
    "logprobs", "logit_bias", "frequency_penalty", "presence_penalty", "best_of",
}  # fmt: skip
_REFUSED = {
    "echo": "the prompt is the caller's already",
    "suffix": "the models behind this gateway are asked in turns of a conversation",
}
_MOST = 32  # prompts of a request
_DEFAULT_TOKENS = 16  # OpenAI's


class Completions(Base):
    """One request. Each further prompt is a call of its own that goes through every step, after the one before."""

    def __init__(self, gateway: Gateway) -> None:
        super().__init__(gateway)
        self._usage = False
        self._prompts: list[str] = []
        self._n = 1

    def parse(self, body: Any, secret: str, headers: dict[str, str]) -> Call:
        body = object_of(body)
        check_fields(body, _OWN, _REFUSED)
        model = model_of(self._gateway, body)
        task = self._gateway.names()[model]
        self.stream = flag(body, "stream")
        self._usage = part(body, "stream_options").get("include_usage") is True
        if body.get("best_of") not in (None, body.get("n") or 1):
            raise invalid("'best_of' is not taken here: every choice is returned", "best_of", "unsupported_parameter")
        passed = passed_options(body | _logprobs(body), task)
        self._n = int(passed.get("n") or 1)
        self._prompts = _prompts(body.get("prompt"))
        asked = number(body, "max_tokens", 1, 1 << 20)
        return self._gateway.call(
            (Message("user", self._prompts[0]),),
            sampling(self._gateway, body, model, asked=asked or (_DEFAULT_TOKENS if task == "chat" else None)),
            surface="openai.completions", model=model, task=task, secret=secret, stream=self.stream, options=passed,
            user=user_of(body),
        )  # fmt: skip

    async def whole(self, call: Call, reply: Reply) -> dict[str, Any]:
        choices: list[dict[str, Any]] = []
        usages = []
        about = luodi_part(call, reply)
        for number_, prompt in enumerate(self._prompts):
            if number_:
                reply = await self._gateway.handle(self._another(call, prompt))
            async with aclosing(reply.pieces):
                found, _ = await gather(reply)
            for index in sorted(found) or [0]:
                pieces = found.get(index, [])
                finish = next((p.finish for p in reversed(pieces) if p.finish), "")
                choices.append({
                    "index": number_ * self._n + index, "text": "".join(p.text for p in pieces),
                    "logprobs": _old_logprobs([p.logprobs for p in pieces if p.logprobs]),
                    "finish_reason": finish_of(finish if index else reply.outcome.finish),
                })  # fmt: skip
            usages.append(usage_of(reply))
            if not number_:
                about = luodi_part(call, reply)
        return {
            "id": call.id, "object": "text_completion", "created": int(time.time()), "model": shown_model(call),
            "choices": choices, "usage": _sum(usages), "luodi": about,
        }  # fmt: skip

    async def _events(self, call: Call, reply: Reply) -> AsyncGenerator[bytes, None]:
        common = {"id": call.id, "object": "text_completion", "created": int(time.time()), "model": shown_model(call)}
        tail: dict[str, Any] = {"usage": None} if self._usage else {}
        usages = []

        def chunk(index: int, text: str, logprobs: Any, finish: str | None, **more: Any) -> bytes:
            choice = {"index": index, "text": text, "logprobs": logprobs, "finish_reason": finish}
            return data(common | {"choices": [choice]} | more | tail)

        for number_, prompt in enumerate(self._prompts):
            if number_:
                reply = await self._gateway.handle(self._another(call, prompt))
            first = number_ * self._n
            async with aclosing(reply.pieces) as pieces:
                async for piece in pieces:
                    if piece.text or piece.logprobs:
                        logprobs = _old_logprobs([piece.logprobs] if piece.logprobs else [])
                        yield chunk(first + piece.index, piece.text, logprobs, None)
                    if piece.finish and piece.index:
                        yield chunk(first + piece.index, "", None, finish_of(piece.finish))
            usages.append(usage_of(reply))
            yield chunk(first, "", None, finish_of(reply.outcome.finish), luodi=luodi_part(call, reply))
        if self._usage:
            yield data(common | {"choices": [], "usage": _sum(usages)})
        yield b"data: [DONE]\n\n"

    def _another(self, call: Call, prompt: str) -> Call:
        """The call of a further prompt: who asks is found out anew, nothing is carried over."""
        return self._gateway.call(
            (Message("user", prompt),), replace(call.sampling),
            surface=call.surface, model=call.model, task=call.task, secret=call.secret, stream=call.stream,
            options=dict(call.options), user=call.user, conversation=call.conversation,
        )  # fmt: skip


def _prompts(value: Any) -> list[str]:
    prompts = [value] if isinstance(value, str) else value
    if not isinstance(prompts, list) or not prompts:
        raise invalid("'prompt' must be a string or a list of strings", "prompt")
    if any(isinstance(p, (int, list)) for p in prompts):
        raise invalid(
            "lists of tokens are not taken: the guard reads text, and models do not share their tokens", "prompt",
            "unsupported_content",
        )  # fmt: skip
    if any(not isinstance(p, str) or not p.strip() or has_half(p) for p in prompts):
        raise invalid("every prompt must be a string that is not empty", "prompt")
    if len(prompts) > _MOST:
        raise invalid(f"at most {_MOST} prompts are taken in a request", "prompt")
    return prompts


def _logprobs(body: dict[str, Any]) -> dict[str, Any]:
    """The old form's number of likely tokens in the chat form."""
    wanted = number(body, "logprobs", 0, 5)
    if wanted is None:
        return {"logprobs": None}
    return {"logprobs": True, "top_logprobs": int(wanted)} if wanted else {"logprobs": True}


def _old_logprobs(parts: list[dict[str, Any]]) -> dict[str, Any] | None:
    tokens = [t for p in parts for t in p.get("content") or []]
    if not tokens:
        return None
    offsets, at = [], 0
    for t in tokens:
        offsets.append(at)
        at += len(t["token"])
    return {
        "tokens": [t["token"] for t in tokens],
        "token_logprobs": [t["logprob"] for t in tokens],
        "top_logprobs": [{top["token"]: top["logprob"] for top in t.get("top_logprobs") or []} for t in tokens],
        "text_offset": offsets,
    }


def _sum(usages: list[dict[str, Any]]) -> dict[str, Any]:
    return {name: sum(u[name] for u in usages) for name in usages[0]}
