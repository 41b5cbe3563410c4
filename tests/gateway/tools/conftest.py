from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import aclosing
from types import SimpleNamespace
from typing import Any

import pytest
from shop import Shop
from sqlalchemy import select

from luodi.engine import Message, Sampling
from luodi.gateway.tools import Tool
from luodi.store.migrations import log


@pytest.fixture
def shop() -> Iterator[Shop]:
    with Shop() as found:
        yield found


@pytest.fixture
def use(house: Any) -> Callable[..., Any]:
    """Calls a tool as a call of the gateway; what it said, its outcome and its row."""

    def run(tool: Tool, arguments: Any, **more: Any) -> SimpleNamespace:
        async def work() -> tuple[str, Any]:
            call = house.gateway.call(
                (Message("user", json.dumps(arguments)),), Sampling(max_tokens=1), surface="mcp", model=tool.name,
                task="tool", secret=more.get("secret", house.key), work=tool.work(arguments),
            )  # fmt: skip
            reply = await house.gateway.handle(call)
            async with aclosing(reply.pieces) as pieces:
                return "".join([p.text async for p in pieces]), reply.outcome

        try:
            text, outcome = house.gateway.run_alone(work())
        finally:
            rows = tool_rows(house)
        return SimpleNamespace(text=text, outcome=outcome, row=rows[-1])

    return run


def tool_rows(house: Any) -> list[Any]:
    with house.store.database.begin() as connection:
        found = connection.execute(select(log).where(log.c.kind == "tool").order_by(log.c.seq)).mappings().all()
    return [SimpleNamespace(**(dict(r) | json.loads(r["body"]) | {"data": r["body"]})) for r in found]


@pytest.fixture
def recorded(house: Any) -> Callable[[], list[Any]]:
    """The rows of tool calls."""
    return lambda: tool_rows(house)
