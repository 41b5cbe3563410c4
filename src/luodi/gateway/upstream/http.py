"""Any server that speaks OpenAI's API: vLLM, SGLang, llama-server, a cloud, another Luodi."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncGenerator
from typing import Any
from urllib.parse import urlsplit

import orjson

from luodi.engine import Message
from luodi.errors import ProjectError
from luodi.gateway.call import Outcome, Piece
from luodi.gateway.ledger.prices import MachineClock, Price
from luodi.gateway.upstream.base import Order, UpstreamError, bytes_bound
from luodi.gateway.upstream.client import Client, Response

_RETRIED = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})


class HttpUpstream:
    """One model of a server at `url` (ending in /v1).

    Args:
        key: "env:NAME" or "" for none; the secret itself is never in a project file.
        connect_s, silence_s: seconds to connect, and between two parts of an answer.

    Raises:
        ProjectError: no such address, or the environment variable is not set.
    """

    def __init__(
        self,
        name: str,
        url: str,
        model: str,
        *,
        key: str = "",
        own: bool = False,
        price: Price | None = None,
        context: int = 8192,
        takes: frozenset[str] = frozenset({"tools", "json_schema", "images", "n", "logprobs", "embed"}),
        connect_s: float = 5.0,
        silence_s: float = 120.0,
    ) -> None:
        if urlsplit(url).scheme not in ("http", "https"):
            raise ProjectError(f"{url!r} is not the address of a server", "write for instance http://host:8000/v1")
        self.name, self.model, self.own, self.takes, self.context = name, model, own, takes, context
        self.url = url.rstrip("/")
        self.price = price or Price()
        self.clock = MachineClock(self.price.second_nano) if self.price.second_nano else None
        self._connect_s, self._silence_s = connect_s, silence_s
        self._headers = {"content-type": "application/json"} | _authorization(key)
        self._path = urlsplit(self.url).path
        self._client: Client | None = None

    def _open(self) -> Client:
        """The connections of the running loop."""
        client = self._client
        if client is None or client.loop is not asyncio.get_running_loop():
            client = self._client = Client(self.url, connect_s=self._connect_s, silence_s=self._silence_s)
        return client

    def _body(self, order: Order) -> bytes:
        s = order.sampling
        body: dict[str, Any] = {"model": self.model, "messages": [_wire(m) for m in order.messages]}
        body.update(order.options)
        body["max_tokens"] = s.max_tokens
        body["temperature"] = s.temperature
        if s.top_p != 1.0:
            body["top_p"] = s.top_p
        if s.seed:
            body["seed"] = s.seed
        if s.stop:
            body["stop"] = s.stop
        if order.stream:
            body["stream"] = True
            body["stream_options"] = {"include_usage": True}
        return orjson.dumps(body)

    async def generate(self, order: Order, outcome: Outcome) -> AsyncGenerator[Piece, None]:
        try:
            reply = await self._open().post(
                f"{self._path}/chat/completions", self._headers, self._body(order), order.until - time.monotonic()
            )
            try:
                if reply.status != 200:
                    raise await self._refused(reply)
                # Until the server says what it counted: an estimate of 4 bytes a token, for a caller that leaves early.
                outcome.prompt_tokens, outcome.estimated = bytes_bound(order.messages) // 4 + 1, True
                if order.stream:
                    async for piece in self._stream(reply, order, outcome):
                        yield piece
                else:
                    for piece in self._whole(await reply.read(), order, outcome):
                        yield piece
            finally:
                reply.close()
        except OSError as error:
            raise self._failed(error) from error

    def _failed(self, error: OSError) -> UpstreamError:
        if isinstance(error, TimeoutError):
            return UpstreamError(f"{self.name} does not answer: {error}")
        return UpstreamError(f"{self.name} failed: {type(error).__name__}: {error}")

    def _whole(self, raw: bytes, order: Order, outcome: Outcome) -> list[Piece]:
        try:
            body = orjson.loads(raw)
            choices = body["choices"]
            pieces = []
            for choice in choices:
                message, index = choice["message"], choice.get("index", 0)
                finish = _finish(choice.get("finish_reason"))
                for position, tool in enumerate(message.get("tool_calls") or ()):
                    function = tool["function"]
                    pieces.append(Piece("", index, {"index": position, "id": tool["id"], "name": function["name"],
                                                    "arguments": function["arguments"]}))  # fmt: skip
                pieces.append(Piece(message.get("content") or "", index, None, choice.get("logprobs"), finish))
                if index == 0:
                    outcome.finish = finish  # type: ignore[assignment]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UpstreamError(f"{self.name} sent no chat completion: {raw[:200]!r}") from error
        if not pieces:
            raise UpstreamError(f"{self.name} sent an answer without a choice")
        self._count(body.get("usage"), order, outcome, sum(len(p.text) for p in pieces))
        return pieces

    async def _stream(self, reply: Response, order: Order, outcome: Outcome) -> AsyncGenerator[Piece, None]:
        """Events as they come; a read may bring several, or the half of one."""
        rest = b""
        usage: dict[str, Any] | None = None
        finished = False
        while data := await reply.some():
            if rest:
                data = rest + data
            lines = data.split(b"\n")
            rest = lines.pop()
            for line in lines:
                if not line.startswith(b"data:"):
                    continue
                payload = line[5:].strip()
                if payload == b"[DONE]":
                    continue
                try:
                    chunk = orjson.loads(payload)
                    if "error" in chunk:
                        raise UpstreamError(f"{self.name}: {chunk['error']}", retry=False)
                    usage = chunk.get("usage") or usage
                    choices = chunk["choices"]
                    for choice in choices:
                        for piece in _pieces(choice):
                            if piece.text or piece.tool:
                                outcome.completion_tokens += 1
                            if piece.finish:
                                finished = True
                                if piece.index == 0:
                                    outcome.finish = piece.finish  # type: ignore[assignment]
                            yield piece
                except (ValueError, KeyError, TypeError, AttributeError) as error:
                    raise UpstreamError(f"{self.name} sent an event that is no chunk: {payload[:200]!r}") from error
        if not finished:
            raise UpstreamError(f"{self.name} ended the stream before the answer was finished")
        self._count(usage, order, outcome, 0)

    def _count(self, usage: Any, order: Order, outcome: Outcome, characters: int) -> None:
        if isinstance(usage, dict) and isinstance(usage.get("prompt_tokens"), int):
            outcome.prompt_tokens, outcome.estimated = usage["prompt_tokens"], False
            outcome.completion_tokens = int(usage.get("completion_tokens") or 0)
            return
        outcome.completion_tokens = max(outcome.completion_tokens, -(-characters // 4))

    async def _refused(self, reply: Response) -> UpstreamError:
        text = (await reply.read()).decode("utf-8", "replace")[:300]
        try:
            after = float(reply.headers.get(b"retry-after", 0))
        except ValueError:
            after = 0.0
        if reply.status in _RETRIED:
            return UpstreamError(f"{self.name} answered {reply.status}: {text}", after_s=after)
        if reply.status in (400, 404, 413, 422):
            return UpstreamError(f"{self.name} refused the request: {text}", retry=False, status=400)
        return UpstreamError(f"{self.name} answered {reply.status}: {text}", retry=reply.status >= 500)

    async def embed(self, texts: tuple[str, ...], outcome: Outcome) -> list[list[float]]:
        body = {"model": self.model, "input": list(texts)}
        try:
            reply = await self._open().post(f"{self._path}/embeddings", self._headers, orjson.dumps(body))
            try:
                if reply.status != 200:
                    raise await self._refused(reply)
                found = orjson.loads(await reply.read())
            finally:
                reply.close()
            vectors = [list(map(float, d["embedding"])) for d in sorted(found["data"], key=lambda d: d["index"])]
        except OSError as error:
            raise self._failed(error) from error
        except (ValueError, KeyError, TypeError) as error:
            raise UpstreamError(f"{self.name} sent no embeddings") from error
        if len(vectors) != len(texts):
            raise UpstreamError(f"{self.name} sent {len(vectors)} embeddings for {len(texts)} texts")
        usage = found.get("usage") or {}
        outcome.prompt_tokens = int(usage.get("prompt_tokens") or 0) or sum(len(t.encode()) // 4 + 1 for t in texts)
        outcome.estimated = not usage.get("prompt_tokens")
        outcome.finish = "stop"
        return vectors

    def bound(self, messages: tuple[Message, ...]) -> int:
        return bytes_bound(messages)

    async def close(self) -> None:
        if self._client is not None and self._client.loop is asyncio.get_running_loop():
            self._client.close()


def _authorization(key: str) -> dict[str, str]:
    if not key:
        return {}
    variable = key.removeprefix("env:")
    secret = os.environ.get(variable)
    if secret is None:
        raise ProjectError(f"the environment variable {variable} is not set", "it holds the key of a model's server")
    return {"authorization": f"Bearer {secret}"}


def _wire(m: Message) -> dict[str, Any]:
    if m.parts:
        return {"role": m.role, "content": list(m.parts)}
    out: dict[str, Any] = {"role": m.role, "content": m.content}
    if m.tool_calls:
        out["tool_calls"] = list(m.tool_calls)
        out["content"] = m.content or None
    if m.tool_call_id:
        out["tool_call_id"] = m.tool_call_id
    return out


def _finish(reason: Any) -> str:
    if reason in ("length", "tool_calls", "content_filter"):
        return str(reason)
    return "tool_calls" if reason == "function_call" else "stop"


def _pieces(choice: dict[str, Any]) -> list[Piece]:
    delta = choice.get("delta") or {}
    index = choice.get("index", 0)
    text = delta.get("content") or ""
    finish = choice.get("finish_reason")
    tools = delta.get("tool_calls")
    if text and not tools and not finish:
        return [Piece(text, index, None, choice.get("logprobs"))]
    pieces = []
    for tool in tools or ():
        function = tool.get("function") or {}
        pieces.append(Piece("", index, {"index": tool.get("index", 0), "id": tool.get("id") or "",
                                        "name": function.get("name") or "",
                                        "arguments": function.get("arguments") or ""}))  # fmt: skip
    if text or finish:
        pieces.append(Piece(text, index, None, choice.get("logprobs"), _finish(finish) if finish else ""))
    return pieces
