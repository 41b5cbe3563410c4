"""The gateway as a raw ASGI application: paths to surfaces, failures to error objects, a gone caller to a cancel."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing
from typing import TYPE_CHECKING, Any, Literal, Protocol
from urllib.parse import parse_qs

from luodi.errors import StoreError
from luodi.gateway.background import Background
from luodi.gateway.call import Call, Piece, Reply
from luodi.gateway.core import Gateway
from luodi.gateway.idempotency import HEADER, Idempotency
from luodi.gateway.mcp import PATH as MCP_PATH
from luodi.gateway.mcp import McpServer
from luodi.gateway.openapi import document
from luodi.gateway.problem import Problem, internal
from luodi.gateway.pseudonyms import HEADER as CONVERSATION
from luodi.gateway.pseudonyms import conversation
from luodi.gateway.steps.guard import CONFIRMED
from luodi.gateway.surfaces import SURFACES, Surface
from luodi.gateway.surfaces.anthropic_in import error_of
from luodi.gateway.surfaces.plain import count_tokens, models
from luodi.gateway.wire import (
    Receive,
    Scope,
    Send,
    caching,
    header,
    parse_json,
    priority,
    read_body,
    secret_of,
    send_body,
    send_events,
    send_json,
    unless_gone,
)

if TYPE_CHECKING:
    from luodi.gateway.admin.app import Admin

_ADMIN = ("/admin/", "/v1/records/", "/v1/labels/", "/v1/watermark/")
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
        self._idempotency = Idempotency(gateway)
        self._background = Background(gateway)
        self._mcp = McpServer(gateway) if gateway.options.mcp else None
        self._admin: Admin | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            surface = SURFACES.get(scope["path"])
            if surface is not None:
                await self._serve(surface(self.gateway), scope, receive, send)
                return
            try:
                if scope["path"].startswith(_ADMIN):
                    await (await self._opened_admin())(scope, receive, send)
                    return
                await self._http(scope, receive, send)
            except Problem as problem:
                told = error_of(problem) if scope["path"].startswith("/v1/messages") else problem.body()
                await send_json(send, problem.status, told, [_new_id(), *problem.headers])
            except StoreError as error:
                _log.error("a request failed: %s", error.message)
                busy = _not_now()
                await send_json(send, busy.status, busy.body(), [_new_id(), *busy.headers])
            except Exception:  # a mistake of ours: the caller gets an error object, the log gets the rest
                _log.exception("a request failed")
                await send_json(send, 500, internal().body(), [_new_id()])

    async def _serve(self, surface: Surface, scope: Scope, receive: Receive, send: Send) -> None:
        """One call of one surface."""
        call: Call | None = None
        try:
            if scope["method"] != "POST":
                raise _wrong_method(scope["method"], "POST")
            body = await read_body(receive)
            given = {k.decode(): v.decode("latin-1") for k, v in scope["headers"]}
            call = surface.parse(parse_json(body), secret_of(scope), given)
            call.headers += [(name, call.id.encode()) for name in surface.id_headers]
            if "cache-control" in given:
                call.caching = caching(given["cache-control"])
            if CONVERSATION in given:
                call.conversation = conversation(given[CONVERSATION])
            call.confirmed = given.get(CONFIRMED) in ("true", "1", "yes")
            if "x-luodi-priority" in given:
                call.priority = priority(given["x-luodi-priority"])
            key = given.get(HEADER)
            if key is None:
                await unless_gone(receive, self._answer(surface, call, send))
                return
            async with self._idempotency.once(key, call, surface, scope["path"], body, send) as keeping:
                if keeping is not None:
                    await unless_gone(receive, self._answer(surface, call, keeping))
        except Problem as problem:
            if call is None:
                problem = await self._unknown(scope) or problem  # a stranger learns nothing of what is served
            headers = _new_ids(surface) if call is None else [*call.headers, _took(call)]
            await send_json(send, problem.status, surface.problem(problem), [*headers, *problem.headers])
        except StoreError as error:
            _log.error("a call failed: %s", error.message)
            headers = _new_ids(surface) if call is None else call.headers
            told = _not_now()
            await send_json(send, told.status, surface.problem(told), [*headers, *told.headers])
        except Exception:  # a mistake of ours: the caller gets an error object, the log gets the rest
            _log.exception("a call failed")
            await send_json(send, 500, surface.problem(internal()), _new_ids(surface) if call is None else call.headers)

    async def _answer(self, surface: Surface, call: Call, send: Send) -> None:
        reply = await self.gateway.handle(call)
        if surface.stream:
            # A failure before the first piece still has a status of its own; a long wait shows signs of life instead.
            reply = await _begun(reply, self.gateway.options.ping_s)
        headers = call.headers
        headers.append((b"x-luodi-release", call.release.release.encode()))
        if call.task in ("answer", "chat"):
            headers.append((b"x-ai-generated", b"true"))
        async with aclosing(reply.pieces):
            if surface.stream:
                headers.append(_took(call))
                await send_events(send, surface.events(call, reply), headers, self.gateway.options.ping_s)
            else:
                whole = await surface.whole(call, reply)
                headers.append(_took(call))
                await send_json(send, 200, whole, headers)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, method = scope["path"], scope["method"]
        if path in ("/health", "/openapi.json") and method not in ("GET", "HEAD"):
            raise _wrong_method(method, "GET, HEAD")
        if path == "/health":
            await send_json(send, 200, {"status": "ok", "release": self.gateway.served.release})
        elif path == MCP_PATH and self._mcp is not None:
            await self._mcp.serve(scope, receive, send, await self._unknown(scope))
        elif path == "/openapi.json":
            await send_json(send, 200, document())
        elif path == "/v1/models" or path.startswith("/v1/models/"):
            if method != "GET":
                raise _wrong_method(method, "GET")
            if (stranger := await self._unknown(scope)) is not None:
                raise stranger
            await send_json(send, 200, models(self.gateway, path.removeprefix("/v1/models").strip("/")), [_new_id()])
        elif path == "/v1/messages/count_tokens":
            if method != "POST":
                raise _wrong_method(method, "POST")
            body = await read_body(receive)
            if (stranger := await self._unknown(scope)) is not None:
                raise stranger
            await send_json(send, 200, await count_tokens(self.gateway, parse_json(body)), [_new_id()])
        elif method == "GET" and not path.startswith("/v1/") and self.pages is not None:
            await self._page(scope, send)
        else:
            raise Problem(404, "not_found_error", f"there is nothing at {path}", code="not_found")

    async def _opened_admin(self) -> Admin:
        """Loaded with the first request: who only calls needs none of its libraries."""
        if self._admin is None:
            admin = await asyncio.to_thread(_open_admin, self.gateway)
            if self._admin is None:
                self._admin = admin
        return self._admin

    async def _unknown(self, scope: Scope) -> Problem | None:
        """The refusal of a caller whose key is not known."""
        secret = secret_of(scope)
        if not secret:
            return Problem(401, "authentication_error", "no API key was sent", code="missing_api_key")
        known, principal = self.gateway.keys.recall(secret)
        if not known:
            principal = await asyncio.to_thread(self.gateway.keys.find, secret)
        if principal is not None:
            return None
        return Problem(401, "authentication_error", "this API key is not valid", code="invalid_api_key")

    async def _page(self, scope: Scope, send: Send) -> None:
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
        accepted = header(scope, b"accept-language")
        language = query.get("lang", ["zh" if accepted.lower().startswith("zh") else "en"])[0]
        page = self.pages.respond(  # type: ignore[union-attr]
            scope["path"], language="zh" if language == "zh" else "en", key=self._page_key if _is_local(scope) else ""
        )
        if page is None:
            raise Problem(404, "not_found_error", f"there is nothing at {scope['path']}", code="not_found")
        headers = [(b"content-type", page.content_type.encode()), *((k.encode(), v.encode()) for k, v in page.headers)]
        await send_body(send, page.status, page.body, headers)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        running = AsyncExitStack()
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self._background.start()
                if self._mcp is not None:
                    await running.enter_async_context(self._mcp.running())
            else:
                await running.aclose()
                await self._background.stop()
                if self._admin is not None:
                    await asyncio.to_thread(self._admin.close)
                await self.gateway.stop()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return


async def _begun(reply: Reply, wait_s: float) -> Reply:
    """The reply with its first piece fetched, if it comes within `wait_s`. Raises: what the first piece raised."""
    first = asyncio.ensure_future(anext(reply.pieces, None))
    try:
        done, _ = await asyncio.wait({first}, timeout=wait_s)
        if done:
            first.result()
    except BaseException:
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        await reply.pieces.aclose()
        raise
    return Reply(_all(first, reply.pieces), reply.outcome)


async def _all(first: asyncio.Future[Piece | None], rest: AsyncGenerator[Piece, None]) -> AsyncGenerator[Piece, None]:
    async with aclosing(rest):
        try:
            piece = await first
        except asyncio.CancelledError:
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)
            raise
        if piece is not None:
            yield piece
            async for piece in rest:
                yield piece


def _open_admin(gateway: Gateway) -> Admin:
    from luodi.gateway.admin.app import Admin

    return Admin(gateway)


def _new_ids(surface: Surface) -> list[tuple[bytes, bytes]]:
    id_ = _new_id()[1]
    return [(name, id_) for name in surface.id_headers]


def _new_id() -> tuple[bytes, bytes]:
    """The id of a request that became no call."""
    return b"x-request-id", b"req_" + os.urandom(12).hex().encode()


def _took(call: Call) -> tuple[bytes, bytes]:
    return b"openai-processing-ms", b"%d" % ((time.monotonic() - call.started) * 1000)


def _not_now() -> Problem:
    return Problem(
        503, "overloaded_error", "the database can't be used just now; try again in 5 s", code="not_available",
        headers=((b"retry-after", b"5"), (b"x-should-retry", b"true")),
    )  # fmt: skip


def _wrong_method(method: str, allowed: str) -> Problem:
    return Problem(
        405, "invalid_request_error", f"use {allowed} here, not {method}", code="method_not_allowed",
        headers=((b"allow", allowed.encode()),),
    )  # fmt: skip


def _is_local(scope: Scope) -> bool:
    """Whether a page is asked for from this machine, under a name of this machine.

    The name is checked too: a page of another site whose name was pointed at 127.0.0.1 must not get the key,
    and neither must one that a proxy on this machine passes on.
    """
    client = (scope.get("client") or ("", 0))[0]
    host = header(scope, b"host")
    name = host[1:].partition("]")[0] if host.startswith("[") and "]" in host else host.partition(":")[0]
    proxied = any(header(scope, other) for other in (b"x-forwarded-for", b"forwarded", b"x-real-ip", b"via"))
    return not proxied and client in ("127.0.0.1", "::1") and name in ("127.0.0.1", "localhost", "::1")
