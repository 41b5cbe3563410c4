"""`luodi mcp`: the official client starts it, as desktop assistants do."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from typing import Any

import pytest
from mcp import Client, StdioServerParameters, stdio_client

pytestmark = pytest.mark.slow
COMMAND = ["-c", "from luodi.cli import main; main()", "mcp"]


def test_asking_through_standard_input(serving: Any) -> None:
    key_id, key = serving.new_key()

    async def work() -> tuple[list[str], Any, Any]:
        parameters = StdioServerParameters(
            command=sys.executable, args=[*COMMAND, "--url", serving.url], env=os.environ | {"LUODI_KEY": key}
        )
        async with Client(stdio_client(parameters)) as client:
            names = [t.name for t in (await client.list_tools()).tools]
            answer = await client.call_tool("ask", {"question": "How do I make a form field optional?"})
            return names, answer, await client.call_tool("shop_getOrder", {"id": "attack"})

    names, answer, order = asyncio.run(work())
    assert names == ["ask", "search_documents", "shop_getOrder", "shop_findOrders"]
    assert answer.structured_content["citations"] and not answer.is_error
    assert order.is_error and "withheld" in order.content[0].text
    assert [r["surface"] for r in serving.rows(key_id)] == ["mcp", "mcp"]


@pytest.mark.parametrize(("url", "key"), [("http://127.0.0.1:1", "x"), ("", "luodi-wrong")])
def test_what_goes_wrong_is_said_on_the_error_stream(serving: Any, url: str, key: str) -> None:
    done = subprocess.run(
        [sys.executable, *COMMAND, "--url", url or serving.url], env=os.environ | {"LUODI_KEY": key}, text=True,
        capture_output=True, stdin=subprocess.DEVNULL, timeout=30,
    )  # fmt: skip
    assert done.returncode == 2 and done.stdout == "" and "does not serve" in done.stderr, done.stderr
    assert "Traceback" not in done.stderr and "luodi-wrong" not in done.stderr
