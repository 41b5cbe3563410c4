"""The Model Context Protocol over streamable HTTP, by the official SDK. No sessions: any worker answers any request."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Any

from luodi import __version__
from luodi.engine import Message, Sampling
from luodi.errors import ProjectError, require
from luodi.gateway.call import Call
from luodi.gateway.mcp.door import check
from luodi.gateway.mcp.offer import ASK, LONGEST, SEARCH, answer_of, imported, own_tools, passages_of
from luodi.gateway.problem import Problem, internal, invalid
from luodi.gateway.surfaces.base import gather
from luodi.gateway.surfaces.checks import longest_answer, text
from luodi.gateway.tools import Tool, open_tools
from luodi.gateway.wire import MAX_BODY, Receive, Scope, Send, secret_of, send_json

if TYPE_CHECKING:
    from luodi.gateway.core import Gateway

SURFACE = "mcp"
_INVALID_REQUEST = -32600  # of JSON-RPC
_MOST_BODY = min(MAX_BODY, 1 << 20)  # bytes of a request
_log = logging.getLogger("luodi.gateway")


class McpServer:
    """Offers `ask`, `search_documents` and the imported tools of a gateway.

    Args:
        tools: by name; by default those of the gateway's options.

    Raises:
        MissingExtraError: the SDK is not installed.
        ProjectError: the options name tools that can't be opened.
    """

    def __init__(self, gateway: Gateway, tools: Mapping[str, Tool] | None = None) -> None:
        require("mcp", extra="mcp")
        options = gateway.options
        self._gateway = gateway
        self._tools = dict(open_tools(options.tools, plain=options.outside_plain) if tools is None else tools)
        self._hosts = frozenset(h.lower() for h in options.mcp_hosts)
        self._shown: dict[tuple[str, str], dict[str, Any]] = {}
        self._manager: Any = None
        if taken := {ASK, SEARCH} & self._tools.keys():
            raise ProjectError(f"serve.tools: {taken.pop()!r} is the name of a tool of ours", "rename the group")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Requests are answered inside of this."""
        from mcp.server import Server
        from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

        server: Any = Server(
            f"luodi/{self._gateway.served.name}", version=__version__, on_list_tools=self._list,
            on_call_tool=self._call,
        )  # fmt: skip
        manager = StreamableHTTPSessionManager(server, stateless=True, max_request_body_size=_MOST_BODY)
        async with manager.run():
            self._manager = manager
            try:
                yield
            finally:
                self._manager = None

    async def serve(self, scope: Scope, receive: Receive, send: Send, stranger: Problem | None) -> None:
        """Answer one request.

        Args:
            stranger: the refusal of a caller whose key is not known.
        """
        try:
            check(scope, self._hosts)
            if stranger is not None:
                raise stranger
            if self._manager is None:
                raise Problem(503, "overloaded_error", "the gateway is not serving yet", code="overloaded")
        except Problem as problem:
            more = [(b"www-authenticate", b'Bearer realm="luodi"')] if problem.status == 401 else []
            error = {"code": _INVALID_REQUEST, "message": problem.message, "data": problem.body()["error"]}
            await send_json(
                send, problem.status, {"jsonrpc": "2.0", "id": None, "error": error}, [*problem.headers, *more]
            )
            return
        await self._manager.handle_request(scope, receive, send)

    async def _list(self, ctx: Any, params: Any) -> Any:
        from mcp_types import ListToolsResult

        served = self._gateway.served
        listed = [*own_tools(served), *[await self._show(tool) for tool in self._tools.values()]]
        return ListToolsResult.model_validate({"tools": listed})

    async def _show(self, tool: Tool) -> dict[str, Any]:
        guard = self._gateway.served.guard
        key = guard.version, tool.name
        if key not in self._shown:
            self._shown[key] = await asyncio.to_thread(imported, tool, guard)
        return self._shown[key]

    async def _call(self, ctx: Any, params: Any) -> Any:
        from mcp.shared.exceptions import MCPError
        from mcp_types import INVALID_PARAMS

        name, arguments = params.name, params.arguments or {}
        if name not in (ASK, SEARCH) and name not in self._tools:
            raise MCPError(INVALID_PARAMS, f"there is no tool {name[:100]!r}")
        try:
            call = self._prepare(name, arguments, _secret(ctx))
            texts, structured, failed = await self._answer(call)
        except Problem as problem:
            return _result([problem.message], None, failed=True)
        except Exception:  # a mistake of ours: the caller is told so, the log gets the rest
            _log.exception("a tool call failed")
            return _result([internal().message], None, failed=True)
        return _result(texts, structured, failed=failed)

    def _prepare(self, name: str, arguments: dict[str, Any], secret: str) -> Call:
        """Raises: Problem if there is nothing to answer."""
        gateway = self._gateway
        if name in self._tools:
            given = json.dumps(arguments, ensure_ascii=False)
            return gateway.call(
                (Message("user", given),), Sampling(max_tokens=1), surface=SURFACE, model=name, task="tool",
                secret=secret, work=self._tools[name].work(arguments),
            )  # fmt: skip
        if unknown := arguments.keys() - {"question", "user"}:
            raise invalid(f"{name!r} takes no {min(unknown)!r}", min(unknown), "unknown_parameter")
        question, user = text(arguments, "question", most=LONGEST), text(arguments, "user", most=190)
        model = gateway.served.name
        return gateway.call(
            (Message("user", question),), Sampling(max_tokens=longest_answer(gateway, model)), surface=SURFACE,
            model=model, task="answer" if name == ASK else "search", secret=secret, user=user,
        )  # fmt: skip

    async def _answer(self, call: Call) -> tuple[list[str], dict[str, Any] | None, bool]:
        """(texts, structured content, whether it failed) of a call that has passed all steps."""
        reply = await self._gateway.handle(call)
        async with aclosing(reply.pieces):
            _, said = await gather(reply)
        outcome = reply.outcome
        if call.task == "answer":
            return *answer_of(call, reply, said), False
        if outcome.kind == "refused":
            return [said], None, True
        if call.task == "search":
            return *passages_of(call), False
        return [said], None, int(outcome.route.get("status", 0)) >= 400


def _secret(ctx: Any) -> str:
    """The key that came with the request that a message was in."""
    return secret_of(ctx.request.scope) if ctx.request is not None else ""


def _result(texts: list[str], structured: dict[str, Any] | None, *, failed: bool) -> Any:
    from mcp_types import CallToolResult, TextContent

    content = [TextContent(type="text", text=t) for t in texts if t] or [TextContent(type="text", text="(nothing)")]
    return CallToolResult(content=list(content), structured_content=structured, is_error=failed)
