"""An HTTP/1.1 client for one server, as little as a gateway needs: POST, keep-alive, bodies read as they come.

A general client costs more than everything else that the gateway does to a piece of a stream. The parser is that of
Node.js (httptools), TLS is the standard library's.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import deque
from math import inf
from typing import Any
from urllib.parse import urlsplit

import httptools

_KEEP_S = 4.0  # an idle connection; less than servers wait (uvicorn 5 s), so that none is used as it is being closed
_BUFFER = 256 << 10  # bytes of a body that wait for a slow reader; then the server is made to wait
_LARGEST_BODY = 64 << 20


class ClientError(OSError):
    """The server could not be reached, went away, or does not speak HTTP."""


class Response:
    """The answer to one request. Read it to its end, or close it: then the connection is closed too."""

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection
        self.status = 0
        self.headers: dict[bytes, bytes] = {}

    async def some(self) -> bytes:
        """What has come of the body; b"" at its end."""
        return await self._connection.some()

    async def read(self) -> bytes:
        """The whole body."""
        first = await self.some()
        parts, size = [first], len(first)
        while part := await self.some():
            parts.append(part)
            size += len(part)
            if size > _LARGEST_BODY:
                raise ClientError(f"the server sent more than {_LARGEST_BODY >> 20} MB")
        return first if len(parts) == 1 else b"".join(parts)

    def close(self) -> None:
        self._connection.done()


class _Connection(asyncio.Protocol):
    def __init__(self, client: Client) -> None:
        self._client = client
        self._loop = client.loop
        self._transport: Any = None
        self._parser: Any = None
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._parts: deque[bytes] = deque()
        self._size = 0
        self._paused = False
        self._response = Response(self)
        self._began = self._ended = False
        self._keep = False
        self._error: Exception | None = None
        self.lost = False
        self.idle_since = 0.0

    # the transport's side

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        if self._parser is None:  # nothing was asked
            self._transport.abort()
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._error = ClientError(f"the server does not speak HTTP: {error}")
            self._transport.abort()
        self._wake()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        if self._parser is not None and not self._ended:
            whole = self._began and b"content-length" not in self._response.headers and (
                self._response.headers.get(b"transfer-encoding", b"").lower() != b"chunked"
            )  # fmt: skip
            if whole:  # a body that ends with the connection
                self._ended = True
            elif self._error is None:
                self._error = ClientError(f"the server closed the connection{f' ({exc})' if exc else ''}")
        self._wake()
        self._client.forget(self)

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    # the parser's side

    def on_header(self, name: bytes, value: bytes) -> None:
        self._response.headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        self._response.status = self._parser.get_status_code()
        self._began = self._response.status >= 200

    def on_body(self, body: bytes) -> None:
        self._parts.append(body)
        self._size += len(body)
        if self._size > _BUFFER and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        if self._began:
            self._ended = True
            self._keep = self._parser.should_keep_alive()

    # the caller's side

    async def _wait(self) -> None:
        self._waiter = self._loop.create_future()
        now = self._loop.time()
        timer = self._loop.call_at(min(self._until, now + self._client.silence_s), self._late)
        try:
            await self._waiter
        finally:
            timer.cancel()
            self._waiter = None

    def _late(self) -> None:
        late = self._loop.time() >= self._until
        self._error = TimeoutError("in time" if late else f"nothing came for {self._client.silence_s:g} s")
        self._wake()

    async def ask(self, request: bytes, seconds: float) -> Response:
        self._until = self._loop.time() + seconds
        self._parser = httptools.HttpResponseParser(self)
        self._response = Response(self)
        self._began = self._ended = self._keep = False
        self._transport.write(request)
        while not self._began:
            if self._error is not None:
                raise self._error
            await self._wait()
        return self._response

    async def some(self) -> bytes:
        while not self._parts:
            if self._ended:
                return b""
            if self._error is not None:
                raise self._error
            await self._wait()
        parts = self._parts
        data = parts.popleft() if len(parts) == 1 else b"".join(parts)
        parts.clear()
        self._size = 0
        if self._paused:
            self._paused = False
            self._transport.resume_reading()
        return data

    def done(self) -> None:
        if self._ended and self._keep and not self._parts and self._error is None and not self.lost:
            self._parser = None
            self._client.give_back(self)
        elif not self.lost:
            self.abort()

    def abort(self) -> None:
        self._parser = None
        self._transport.abort()


class Client:
    """Connections to the server of one URL, within one event loop."""

    def __init__(self, url: str, *, connect_s: float, silence_s: float) -> None:
        parts = urlsplit(url)
        self.loop = asyncio.get_running_loop()
        self.silence_s = silence_s
        self._connect_s = connect_s
        self._host = parts.hostname or ""
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._port = parts.port or (443 if self._tls else 80)
        self._idle: list[_Connection] = []
        self._all: set[_Connection] = set()
        self.host_header = parts.netloc.rpartition("@")[2]

    async def post(self, path: str, headers: dict[str, str], body: bytes, seconds: float = inf) -> Response:
        """Send a request; its status and headers are there when this returns. `seconds` is for the whole of it.

        Raises:
            OSError: the server can't be reached or breaks the connection. TimeoutError: it does not answer.
        """
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        request = (
            f"POST {path} HTTP/1.1\r\nhost: {self.host_header}\r\n{head}content-length: {len(body)}\r\n\r\n".encode()
            + body
        )
        connection = self._take() or await self._open()
        try:
            return await connection.ask(request, seconds)
        except BaseException:
            connection.abort()
            raise

    def _take(self) -> _Connection | None:
        now = self.loop.time()
        while self._idle:
            connection = self._idle.pop()
            if not connection.lost and now - connection.idle_since < _KEEP_S:
                return connection
            connection.abort()
        return None

    async def _open(self) -> _Connection:
        try:
            async with asyncio.timeout(self._connect_s):
                _, connection = await self.loop.create_connection(
                    lambda: _Connection(self), self._host, self._port, ssl=self._tls
                )
        except TimeoutError as error:
            raise TimeoutError(f"could not connect within {self._connect_s:g} s") from error
        self._all.add(connection)
        return connection

    def give_back(self, connection: _Connection) -> None:
        connection.idle_since = self.loop.time()
        self._idle.append(connection)

    def forget(self, connection: _Connection) -> None:
        self._all.discard(connection)

    def close(self) -> None:
        for connection in list(self._all):
            connection.abort()
        self._idle.clear()
