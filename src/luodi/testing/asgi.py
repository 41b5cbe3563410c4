"""One request to an ASGI application in this process: no socket, no server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class AsgiReply:
    """What an application sent. `pieces` are the parts of the body as they came."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    pieces: list[bytes] = field(default_factory=list)
    ended: bool = False

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    def json(self) -> Any:
        return json.loads(self.body)

    def events(self) -> list[dict[str, Any]]:
        """The JSON values of the server-sent events, without the last `[DONE]`."""
        lines = [line for line in self.body.decode("utf-8").split("\n\n") if line]
        return [json.loads(line.removeprefix("data: ")) for line in lines if line != "data: [DONE]"]

    @property
    def done(self) -> bool:
        """Whether the stream ended with `[DONE]`."""
        return self.body.endswith(b"data: [DONE]\n\n")

    def text(self) -> str:
        """The answer of a chat completion, whole or streamed."""
        if not self.headers.get("content-type", "").startswith("text/event-stream"):
            return str(self.json()["choices"][0]["message"]["content"])
        return "".join(c["delta"].get("content") or "" for e in self.events() for c in e.get("choices", []))


async def call(
    app: Any,
    method: str,
    path: str,
    *,
    body: Any = b"",
    key: str = "",
    headers: Sequence[tuple[bytes, bytes]] = (),
    client: str = "127.0.0.1",
    query: bytes = b"",
    leave: Callable[[AsgiReply], bool] | None = None,
    blocked: bool = False,
    gone: asyncio.Event | None = None,
) -> AsgiReply:
    """Ask `app` once. `body` is bytes, or a value sent as JSON; `key` is sent as a bearer token.

    The caller goes away once `leave` says so of what came until then, or once `gone` is set. With `blocked` it reads
    nothing, as a caller whose window is full, and goes away at once.
    """
    sent = [(b"authorization", f"Bearer {key}".encode("latin-1"))] if key else []
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query,
        "client": (client, 1),
        "server": ("127.0.0.1", 80),
        "headers": [*sent, *headers],
    }
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    reply, gone, asked = AsgiReply(), gone or asyncio.Event(), False

    async def receive() -> dict[str, Any]:
        nonlocal asked
        if not asked:
            asked = True
            return {"type": "http.request", "body": data, "more_body": False}
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            if reply.status:
                raise RuntimeError("the application started its response twice")
            reply.status = message["status"]
            reply.headers = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in message["headers"]}
            return
        if blocked:
            gone.set()
            await asyncio.Event().wait()
        if not gone.is_set() and message.get("body"):
            reply.pieces.append(message["body"])
        if leave and leave(reply):
            gone.set()
        if not message.get("more_body"):
            reply.ended = True
        await asyncio.sleep(0)

    await app(scope, receive, send)
    return reply
