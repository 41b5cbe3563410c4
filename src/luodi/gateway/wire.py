"""Reading requests and writing responses over ASGI: bodies, headers, server-sent events, a caller that goes away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import aclosing
from typing import Any, Literal

import orjson

from luodi.gateway.problem import Problem, invalid

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

MAX_BODY = 16 << 20  # bytes; images come inside the JSON
_WATCH_AFTER_S = 0.02  # a call that is over by then needs nobody to watch whether its caller leaves
_JSON = (b"content-type", b"application/json")
EVENT_STREAM: Headers = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # proxies in front must not gather the pieces
]
PING = b": ping\n\n"


def header(scope: Scope, name: bytes) -> str:
    for key, value in scope["headers"]:
        if key == name:
            return str(value.decode("latin-1"))
    return ""


def caching(said: str) -> Literal["", "no-cache", "no-store"]:
    """What a caller's `cache-control` asks for."""
    parts = {part.strip().lower() for part in said.split(",")}
    return "no-store" if "no-store" in parts else "no-cache" if parts & {"no-cache", "max-age=0"} else ""


def priority(said: str) -> Literal["normal", "low"]:
    """What a caller's `x-luodi-priority` asks for. Raises: Problem; nobody puts themselves first."""
    if said == "low":
        return "low"
    if said == "normal":
        return "normal"
    raise invalid("'x-luodi-priority' must be low or normal; who goes first is up to the gateway", "x-luodi-priority")


def secret_of(scope: Scope) -> str:
    """The key that came with a request, as OpenAI's or as Anthropic's clients send it."""
    kind, _, secret = header(scope, b"authorization").partition(" ")
    return secret.strip() if kind.lower() == "bearer" else header(scope, b"x-api-key").strip()


async def read_body(receive: Receive) -> bytes:
    """Raises: Problem if it is too large, or the caller went away."""
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body"):
        body: bytes = message.get("body", b"")
        if len(body) <= MAX_BODY:
            return body
    parts, size = [], 0
    while True:
        if message["type"] == "http.disconnect":
            raise Problem(400, "invalid_request_error", "the caller went away")
        size += len(message.get("body", b""))
        if size > MAX_BODY:
            raise Problem(
                413, "invalid_request_error", f"the body is larger than {MAX_BODY >> 20} MB", code="body_too_large"
            )
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)
        message = await receive()


def parse_json(body: bytes) -> Any:
    """Raises: Problem naming what is wrong."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        try:
            body.decode("utf-8")
        except UnicodeDecodeError as bad:
            raise invalid(f"the body is not UTF-8 (byte {bad.start})") from bad
        raise invalid(f"the body is not JSON: {error}") from error


async def unless_gone(receive: Receive, work: Coroutine[Any, Any, Any]) -> Any:
    """The result of `work`, or None once the caller is gone: then the work is cancelled, down to the model."""
    loop = asyncio.get_running_loop()
    me = asyncio.current_task()
    assert me is not None
    watch: asyncio.Task[None] | None = None
    gone = False

    async def look() -> None:
        nonlocal gone
        while (await receive())["type"] != "http.disconnect":
            pass
        gone = True
        me.cancel()

    def start() -> None:
        nonlocal watch
        watch = loop.create_task(look())

    timer = loop.call_later(_WATCH_AFTER_S, start)
    try:
        return await work
    except asyncio.CancelledError:
        if not gone:
            raise
        me.uncancel()
        return None
    finally:
        timer.cancel()
        if watch is not None and not watch.done():
            watch.cancel()


async def send_body(send: Send, status: int, body: bytes, headers: Headers) -> None:
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [*headers, (b"content-length", b"%d" % len(body))],
        }
    )
    await send({"type": "http.response.body", "body": body})


async def send_json(send: Send, status: int, value: Any, headers: Headers | None = None) -> None:
    await send_body(send, status, dump(value), [_JSON, *(headers or [])])


def dump(value: Any) -> bytes:
    """JSON; half a surrogate pair, which a model may send, becomes a question mark."""
    try:
        return orjson.dumps(value)
    except TypeError:
        import json

        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


class Pinger:
    """Sends a comment whenever no event went out for `every_s`, so that nothing on the way closes the connection."""

    def __init__(self, send: Send, every_s: float) -> None:
        self._send, self._every_s = send, every_s
        self._loop = asyncio.get_running_loop()
        self._last = self._loop.time()
        self._timer = self._loop.call_later(every_s, self._look)
        self._task: asyncio.Task[None] | None = None

    async def event(self, body: bytes) -> None:
        self._last = self._loop.time()
        await self._send({"type": "http.response.body", "body": body, "more_body": True})

    def _look(self) -> None:
        due = self._last + self._every_s - self._loop.time()
        if due <= 0:
            self._task = self._loop.create_task(self.event(PING))
            due = self._every_s
        self._timer = self._loop.call_later(due, self._look)

    def stop(self) -> None:
        self._timer.cancel()
        if self._task is not None:
            self._task.cancel()


async def send_events(send: Send, events: AsyncGenerator[bytes, None], headers: Headers, ping_s: float) -> bool:
    """A response of server-sent events. True once all were sent."""
    await send({"type": "http.response.start", "status": 200, "headers": [*EVENT_STREAM, *headers]})
    pinger = Pinger(send, ping_s)
    try:
        async with aclosing(events) as source:
            async for event in source:
                await pinger.event(event)
    finally:
        pinger.stop()
    await send({"type": "http.response.body", "body": b"", "more_body": False})
    return True
