"""The admin API over HTTP: who asks, whether they may, then the endpoint in a thread. Failures are error objects."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from luodi.errors import IntegrityError, LuodiError, StoreError
from luodi.gateway.admin.access import Who, check_same_origin, is_secure, networks, set_cookie, token_of
from luodi.gateway.admin.asked import Asked, Said, check_texts, query_of, read_limited, typed
from luodi.gateway.admin.browse import call_of
from luodi.gateway.admin.reviews import Reviews, not_found
from luodi.gateway.admin.sessions import Sessions
from luodi.gateway.admin.table import TABLE, Entry
from luodi.gateway.core import Gateway
from luodi.gateway.problem import Problem, internal
from luodi.gateway.wire import Headers, Receive, Scope, Send, dump, header, secret_of

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
_CHANGES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_THREADS = 3  # admin work must not take the threads that calls use
_LINE = 24  # requests that wait for a password to be hashed
_REFUSED_AFTER_S = 0.3  # whatever a refused sign-in took, so that its time tells nothing
_CONTENT_ROLES = frozenset({"admin", "reviewer"})
_log = logging.getLogger("luodi.gateway")


class Admin:
    """An ASGI application for `/admin/…`, and `/v1/` records, labels and watermark. Close it to end its threads."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._proxies = networks(gateway.options.proxies)
        self._sessions = Sessions(gateway.store)
        self._work = ThreadPoolExecutor(_THREADS, "admin")
        self._hashing = ThreadPoolExecutor(1, "passwords")  # 64 MiB each: one at a time
        self._waiting = 0
        paths: dict[str, dict[str, Entry]] = {}
        for entry in TABLE:
            paths.setdefault(entry.path, {})[entry.method] = entry
        routes = [Route(path, self._endpoint(entries), methods=_METHODS) for path, entries in paths.items()]
        nothing = self._endpoint({})
        routes.append(Route("/{path:path}", nothing, methods=_METHODS))

        async def unmatched(request: Request, error: Exception) -> Response:
            """A path with a line break matches no pattern at all."""
            response: Response = await nothing(request)
            return response

        self._app = Starlette(routes=routes, exception_handlers={HTTPException: unmatched})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)  # type: ignore[arg-type]

    def close(self) -> None:
        self._work.shutdown(wait=True)
        self._hashing.shutdown(wait=True)

    def _endpoint(self, entries: dict[str, Entry]) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            secure = is_secure(request.scope, self._proxies)  # type: ignore[arg-type]
            try:
                said = await self._answer(entries, request, secure)
            except Problem as problem:
                return _response(Said(problem.body(), problem.status, headers=list(problem.headers)), secure)
            except LuodiError as error:
                told = _problem_of(error)
                return _response(Said(told.body(), told.status), secure)
            except Exception:  # a mistake of ours: the caller gets an error object, the log gets the rest
                _log.exception("an admin request failed")
                return _response(Said(internal().body(), 500), secure)
            return _response(said, secure)

        return endpoint

    async def _answer(self, entries: dict[str, Entry], request: Request, secure: bool) -> Said:
        scope: Scope = request.scope  # type: ignore[assignment]
        entry = entries.get(request.method)
        token = token_of(scope, secure=secure)
        if entry is not None and entry.open:
            check_same_origin(scope, strict=False)
            who = _STRANGER
        else:
            who = await self._who(scope, token)
        if entry is None:  # only now: a stranger learns nothing of which paths there are
            raise _no_entry(entries, request)
        if not entry.open and who.role not in entry.anybody:
            raise Problem(403, "permission_error", f"the role {who.role} may not do this", code="role")
        if who.session is not None and request.method in _CHANGES:
            check_same_origin(scope, strict=True)
        try:
            body = await read_limited(request.stream(), header(scope, b"content-length"))
        except ClientDisconnect as error:
            raise Problem(400, "invalid_request_error", "the caller went away") from error
        asked = Asked(
            self._gateway, who, self._sessions, path=dict(request.path_params), query=query_of(scope["query_string"]),
            client=(scope.get("client") or ("", 0))[0], token=token,
        )  # fmt: skip
        check_texts(asked.path)
        return await self._run(entry, asked, body)

    async def _run(self, entry: Entry, asked: Asked, body: bytes) -> Said:
        loop = asyncio.get_running_loop()
        if not entry.passwords:
            return await loop.run_in_executor(self._work, _do, entry, asked, body)
        if self._waiting >= _LINE:
            raise Problem(
                429, "rate_limit_error", "too many people sign in just now; try again in a moment", code="busy",
                headers=((b"retry-after", b"5"),),
            )  # fmt: skip
        self._waiting += 1
        began = time.monotonic()
        try:
            return await loop.run_in_executor(self._hashing, _do, entry, asked, body)
        except Problem as problem:
            if problem.status == 401:
                await asyncio.sleep(max(0.0, began + _REFUSED_AFTER_S - time.monotonic()))
            raise
        finally:
            self._waiting -= 1

    async def _who(self, scope: Scope, token: str) -> Who:
        """Raises: Problem if nobody is known by the request's key, or else by its cookie."""
        loop = asyncio.get_running_loop()
        secret = secret_of(scope)
        if secret:
            known, principal = self._gateway.keys.recall(secret)
            if not known:
                principal = await loop.run_in_executor(self._work, self._gateway.keys.find, secret)
            if principal is None:
                raise Problem(401, "authentication_error", "this API key is not valid", code="invalid_api_key")
            return Who.of_key(principal)
        session = await loop.run_in_executor(self._work, self._sessions.find, token) if token else None
        if session is None:
            what = "the session has ended" if token else "sign in, or send an API key"
            raise Problem(401, "authentication_error", what, code="not_signed_in")
        return Who.of_session(session)


_STRANGER = Who("user", "", "")


def _do(entry: Entry, asked: Asked, body: bytes) -> Said:
    """In a thread: find the call that the path names, see who may see it, and do what is asked."""
    if entry.names_call:
        asked.row = _call(entry, asked)
    if entry.body is not None:
        asked.body = typed(body, entry.body)
    said = entry.handle(asked)
    return said if isinstance(said, Said) else Said(said)


def _call(entry: Entry, asked: Asked) -> dict[str, Any]:
    """Raises: Problem, the same if there is no such call and if who asks may not see it."""
    record, who = asked.path["record"], asked.who
    row = call_of(asked.store, record)
    if row is None:
        raise not_found(record)
    asked.own = bool(who.key_id) and row["actor"] == who.key_id
    reviewed = who.role in entry.reviewed and Reviews(asked.store).get(record) is not None
    if not (who.role in entry.roles or (entry.own and asked.own) or reviewed):
        raise not_found(record)
    asked.content = asked.own or (reviewed and who.role in _CONTENT_ROLES)
    return row


def _no_entry(entries: dict[str, Entry], request: Request) -> Problem:
    if not entries:
        return Problem(404, "not_found_error", f"there is nothing at {request.scope['path']}", code="not_found")
    allowed = ", ".join(sorted(entries))
    return Problem(
        405, "invalid_request_error", f"use {allowed} here, not {request.method}", code="method_not_allowed",
        headers=((b"allow", allowed.encode()),),
    )  # fmt: skip


def _problem_of(error: LuodiError) -> Problem:
    if isinstance(error, IntegrityError):
        return Problem(409, "invalid_request_error", error.message, code="integrity")
    if isinstance(error, StoreError):
        _log.error("an admin request failed: %s", error.message)
        return Problem(503, "overloaded_error", "the store can't be used just now; try again", code="store")
    return Problem(400, "invalid_request_error", error.message)


def _response(said: Said, secure: bool) -> Response:
    headers: Headers = [
        (b"content-type", b"application/json"),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        (b"x-request-id", b"req_" + os.urandom(12).hex().encode()),
        *said.headers,
    ]
    if said.token is not None:
        headers.append(set_cookie(said.token, secure=secure))
    response = Response(dump(said.value), said.status)
    response.raw_headers = [*response.raw_headers, *headers]
    return response
