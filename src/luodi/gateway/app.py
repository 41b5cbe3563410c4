"""The gateway as a raw ASGI application: paths to surfaces, failures to error objects, a gone caller to a cancel."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any, Literal, Protocol
from urllib.parse import parse_qs

from luodi.gateway.core import Gateway
from luodi.gateway.problem import Problem, internal, invalid
from luodi.gateway.surfaces import openai

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

MAX_BODY = 4 << 20  # bytes
_log = logging.getLogger("luodi.gateway")


class Pages(Protocol):
    """Web pages beside the API. `key` lets a page on this machine ask without signing in."""

    def respond(self, path: str, *, language: Literal["en", "zh"], key: str) -> Any: ...


class App:
    """`pages` answers what is not part of the API; `page_key` is given to pages asked for on the loopback."""

    def __init__(self, gateway: Gateway, pages: Pages | None = None, page_key: str = "") -> None:
        self.gateway = gateway
        self.pages = pages
        self._page_key = page_key
        self._started = int(time.time())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "http":
            try:
                await self._http(scope, receive, send)
            except Problem as problem:
                await _send_json(send, problem.status, problem.body())
            except Exception:  # a mistake of ours: the caller gets an error object, the log gets the rest
                _log.exception("a call failed")
                await _send_json(send, 500, internal().body())

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, method = scope["path"], scope["method"]
        if path == "/health":
            await _send_json(send, 200, {"status": "ok", "release": self.gateway.served.release})
        elif path == "/v1/chat/completions":
            _only(method, "POST")
            await self._chat(scope, receive, send)
        elif path == "/v1/models" or path.startswith("/v1/models/"):
            _only(method, "GET")
            await self._models(scope, path, send)
        elif method == "GET" and not path.startswith("/v1/") and self.pages is not None:
            await self._page(scope, send)
        else:
            raise Problem(404, "not_found_error", f"there is nothing at {path}", code="not_found")

    async def _chat(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = _json(await _read(receive))
        call, streaming, usage = openai.parse(self.gateway, body, _secret(scope))
        release = self.gateway.served.release
        reply = await self.gateway.handle(call)
        headers = [
            (b"x-request-id", call.id.encode()),
            (b"x-luodi-release", release.encode()),
            (b"x-ai-generated", b"true"),
        ]
        if not streaming:
            answer = await _unless_gone(receive, openai.whole(call, reply, release))
            if answer is not None:
                await _send_json(send, 200, answer, headers)
            return
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [
                    (b"content-type", b"text/event-stream; charset=utf-8"),
                    (b"cache-control", b"no-store"),
                    *headers,
                ],
            }
        )

        async def relay() -> bool:
            async with aclosing(openai.events(call, reply, release, usage=usage)) as events:
                async for event in events:
                    await send({"type": "http.response.body", "body": event, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return True

        await _unless_gone(receive, relay())

    async def _models(self, scope: Scope, path: str, send: Send) -> None:
        await self._principal(scope)
        models = [
            {"id": name, "object": "model", "created": self._started, "owned_by": "luodi"}
            for name in openai.model_names(self.gateway)
        ]
        wanted = path.removeprefix("/v1/models").strip("/")
        if not wanted:
            await _send_json(send, 200, {"object": "list", "data": models})
            return
        found = [m for m in models if m["id"] == wanted]
        if not found:
            raise Problem(
                404, "not_found_error", f"there is no model {wanted!r}", param="model", code="model_not_found"
            )
        await _send_json(send, 200, found[0])

    async def _principal(self, scope: Scope) -> None:
        secret = _secret(scope)
        if not secret or await asyncio.to_thread(self.gateway.keys.find, secret) is None:
            raise Problem(401, "authentication_error", "this API key is not valid", code="invalid_api_key")

    async def _page(self, scope: Scope, send: Send) -> None:
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
        accepted = _header(scope, b"accept-language")
        language = query.get("lang", ["zh" if accepted.lower().startswith("zh") else "en"])[0]
        page = self.pages.respond(  # type: ignore[union-attr]
            scope["path"], language="zh" if language == "zh" else "en", key=self._page_key if _is_local(scope) else ""
        )
        if page is None:
            raise Problem(404, "not_found_error", f"there is nothing at {scope['path']}", code="not_found")
        headers = [(b"content-type", page.content_type.encode()), *((k.encode(), v.encode()) for k, v in page.headers)]
        await _send(send, page.status, page.body, headers)


def _only(method: str, allowed: str) -> None:
    if method != allowed:
        raise Problem(405, "invalid_request_error", f"use {allowed} here, not {method}", code="method_not_allowed")


def _header(scope: Scope, name: bytes) -> str:
    return next((v.decode("latin-1") for k, v in scope["headers"] if k.lower() == name), "")


def _secret(scope: Scope) -> str:
    value = _header(scope, b"authorization")
    kind, _, secret = value.partition(" ")
    return secret.strip() if kind.lower() == "bearer" else ""


def _is_local(scope: Scope) -> bool:
    """Whether a page is asked for from this machine, under a name of this machine.

    The name is checked too: a page of another site whose name was pointed at 127.0.0.1 must not get the key,
    and neither must one that a proxy on this machine passes on.
    """
    client = (scope.get("client") or ("", 0))[0]
    host = _header(scope, b"host")
    name = host[1:].partition("]")[0] if host.startswith("[") and "]" in host else host.partition(":")[0]
    proxied = any(_header(scope, header) for header in (b"x-forwarded-for", b"forwarded", b"x-real-ip", b"via"))
    return not proxied and client in ("127.0.0.1", "::1") and name in ("127.0.0.1", "localhost", "::1")


async def _read(receive: Receive) -> bytes:
    parts, size = [], 0
    while True:
        message = await receive()
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


def _json(body: bytes) -> Any:
    try:
        return json.loads(body.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise invalid(f"the body is not UTF-8 (byte {error.start})") from error
    except (ValueError, RecursionError) as error:
        raise invalid(f"the body is not JSON: {error}") from error


async def _unless_gone(receive: Receive, work: Any) -> Any:
    """The result of `work`, or None once the caller is gone: then the work is cancelled, down to the engine."""
    task = asyncio.ensure_future(work)

    async def gone() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    watch = asyncio.ensure_future(gone())
    try:
        await asyncio.wait({task, watch}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        return None
    finally:
        for running in (task, watch):
            running.cancel()
        await asyncio.gather(task, watch, return_exceptions=True)


async def _send(send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    headers = [*headers, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _send_json(send: Send, status: int, value: Any, headers: list[tuple[bytes, bytes]] | None = None) -> None:
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    await _send(send, status, body, [(b"content-type", b"application/json"), *(headers or [])])


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
