"""The least that a proxy in Python can do: raw ASGI on uvicorn, aiohttp upstream, JSON decoded and encoded both ways.

No key, no limit, no record. A stream is read event by event, decoded and encoded, as a gateway that looks at it must.
"""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import orjson
import uvicorn

Send = Callable[[dict[str, Any]], Awaitable[None]]
_JSON = [(b"content-type", b"application/json")]
_SSE = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store")]


class Bare:
    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self._session: aiohttp.ClientSession | None = None

    async def __call__(self, scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self._lifespan(receive, send)
        if scope["path"] != "/v1/chat/completions":
            return await _answer(send, 200, orjson.dumps({"object": "list", "data": [{"id": "mock"}]}))
        parts, more = [], True
        while more:
            message = await receive()
            parts.append(message.get("body", b""))
            more = message.get("more_body", False)
        asked = orjson.loads(b"".join(parts))
        assert self._session is not None
        url, head = f"{self._upstream}/chat/completions", {"content-type": "application/json"}
        async with self._session.post(url, data=orjson.dumps(asked), headers=head) as reply:
            if not asked.get("stream") or reply.status != 200:
                return await _answer(send, reply.status, orjson.dumps(orjson.loads(await reply.read())))
            await send({"type": "http.response.start", "status": 200, "headers": _SSE})
            async for line in reply.content:
                if not line.startswith(b"data:"):
                    continue
                data = line[5:].strip()
                event = data if data == b"[DONE]" else orjson.dumps(orjson.loads(data))
                await send({"type": "http.response.body", "body": b"data: " + event + b"\n\n", "more_body": True})
            await send({"type": "http.response.body", "body": b""})

    async def _lifespan(self, receive: Callable[[], Awaitable[Any]], send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                # a connection that was idle for two seconds is not used again: servers close them after five
                connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=2)
                timeout = aiohttp.ClientTimeout(total=None, sock_read=120)
                self._session = aiohttp.ClientSession(connector=connector, timeout=timeout)
            elif self._session is not None:
                await self._session.close()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return


async def _answer(send: Send, status: int, body: bytes) -> None:
    head = [*_JSON, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--upstream", required=True, help="ends in /v1")
    asked = parser.parse_args()
    uvicorn.run(
        Bare(asked.upstream), host="127.0.0.1", port=asked.port, http="httptools", loop="auto",
        log_level="warning", access_log=False, backlog=4096,
    )  # fmt: skip


if __name__ == "__main__":
    main()
