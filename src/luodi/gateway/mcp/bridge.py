"""MCP over standard input and output, for assistants that start their servers themselves: passes on to a gateway."""

from __future__ import annotations

from typing import Any

from luodi import __version__
from luodi.errors import LuodiError, require
from luodi.gateway.tls import own_server


async def bridge(url: str, key: str, cert: str = "") -> None:
    """Offer what the gateway at `url` offers, until standard input ends. Every call passes the gateway's steps.

    With `cert`, the file of its certificate, no other one is trusted.

    Raises:
        LuodiError: the gateway does not answer, does not know the key, or does not serve MCP.
        MissingExtraError: the SDK is not installed.
    """
    require("mcp", extra="mcp")
    import httpx2
    from mcp import Client, MCPError
    from mcp.client.streamable_http import streamable_http_client
    from mcp.server import Server
    from mcp.server.stdio import stdio_server

    headers, trust = {"authorization": f"Bearer {key}"}, own_server(cert) if cert else True
    async with httpx2.AsyncClient(headers=headers, timeout=330, trust_env=False, verify=trust) as http:
        try:
            remote = Client(streamable_http_client(url, http_client=http))
            async with remote:
                await remote.list_tools()

                async def list_tools(ctx: Any, params: Any) -> Any:
                    return await remote.list_tools()

                async def call_tool(ctx: Any, params: Any) -> Any:
                    return await remote.call_tool(params.name, params.arguments)

                server: Any = Server(
                    "luodi", version=__version__, on_list_tools=list_tools, on_call_tool=call_tool
                )  # fmt: skip
                async with stdio_server() as (read, write):
                    await server.run(read, write, server.create_initialization_options())
        except (ExceptionGroup, MCPError, httpx2.HTTPError) as error:
            first = _first(error)
            if not isinstance(first, (MCPError, httpx2.HTTPError)):
                raise
            raise LuodiError(
                f"{url} does not serve: {first}", "is serve.mcp set there, and is the key (LUODI_KEY) in force?"
            ) from error


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
