"""`luodi mcp`"""

from __future__ import annotations

import click

from luodi.cli.context import root_of


@click.command()
@click.option("--url", help="Address of a gateway; by default the one that runs for this project.")
@click.option("--key", help="env:NAME, the variable that holds the key; by default LUODI_KEY.")
@click.pass_context
def command(ctx: click.Context, url: str | None, key: str | None) -> None:
    """Offer a running gateway to a desktop assistant over standard input and output (MCP).

    The gateway must serve /mcp (serve.mcp in the project file).

    \b
    Examples:
      luodi mcp
      luodi mcp --url https://gateway.example --key env:LUODI_KEY
    """
    import asyncio
    import os

    from luodi.errors import LuodiError
    from luodi.gateway.mcp.bridge import bridge
    from luodi.gateway.server import find_server
    from luodi.store import Store

    variable = (key or "env:LUODI_KEY").removeprefix("env:")
    secret = os.environ.get(variable, "")
    if key is not None and not secret:
        raise LuodiError(f"{variable} is not set", "put the key into that variable; `luodi key make` makes one")
    cert = ""
    if url is None:
        found = find_server(Store.of(root_of(ctx)).root)
        if found is None:
            raise LuodiError("no gateway runs for this project", "start `luodi serve`, or name one with --url")
        url, secret, cert = found["url"], secret or found["key"], found.get("cert", "")
    asyncio.run(bridge(url.rstrip("/") + "/mcp", secret, cert))
