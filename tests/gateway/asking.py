"""What the gateway's tests ask with."""

from __future__ import annotations

from typing import Any

from luodi.testing import AsgiReply, call

PATH = "/v1/chat/completions"


def body(question: str, **more: Any) -> dict[str, Any]:
    return {"model": "helpdesk", "messages": [{"role": "user", "content": question}]} | more


async def ask(
    house: Any, question: str, *, leave: Any = None, gone: Any = None, blocked: bool = False, key: str = "", **more: Any
) -> AsgiReply:
    return await call(
        house.app,
        "POST",
        PATH,
        body=body(question, **more),
        key=key or house.key,
        gone=gone,
        leave=leave,
        blocked=blocked,
    )
