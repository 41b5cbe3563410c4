"""A stand-in for an OpenAI-compatible server that is many times faster than what is measured in front of it.

One loop over epoll, written out: with asyncio's it answers half as many requests. All paced streams hang on one wheel
of slots of a millisecond, so that a thousand of them cost no task and no timer each.

    POST /v1/chat/completions   a fixed answer, or with "stream": true its deltas
    GET  /v1/models             one model, `mock`
    GET  /stats                 requests answered, worst slip of a paced chunk in ms, connections that were full
    POST /control?pace_ms=20&delay_ms=0&deltas=64      how it behaves from now on; starts the stats anew
"""

from __future__ import annotations

import argparse
import json
import os
import select
import socket
import time
from urllib.parse import parse_qsl

from benchmarks.gateway.stamp import stamp

ANSWER = "Set required=False on the field to make it optional. The form then takes an empty value as well. [1]"
SLOTS = 4096  # of a millisecond; a pace must be shorter
_STREAMS = (b'"stream":true', b'"stream": true')
_USAGE = (b'"include_usage":true', b'"include_usage": true')
_META = '"id":"chatcmpl-mock","created":1767225600,"model":"mock"'
_COUNTS = '"usage":{"prompt_tokens":25,"completion_tokens":64,"total_tokens":89}'


def _answer(body: str, status: str = "200 OK") -> bytes:
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body.encode())}\r\n\r\n"
    return (head + body).encode()


def _chunk(event: str) -> bytes:
    data = f"data: {event}\n\n".encode()
    return b"%x\r\n%b\r\n" % (len(data), data)


def _delta(delta: str, finish: str = "null", usage: str = "") -> str:
    choices = f'[{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":{finish}}}]'
    return f'{{{_META},"object":"chat.completion.chunk","choices":{choices}{usage}}}'


_MESSAGE = f'{{"role":"assistant","content":{json.dumps(ANSWER)},"refusal":null}}'
WHOLE = _answer(
    f'{{{_META},"object":"chat.completion","choices":[{{"index":0,"message":{_MESSAGE},"logprobs":null,'
    f'"finish_reason":"stop"}}],{_COUNTS}}}'
)
MODELS = _answer('{"object":"list","data":[{"id":"mock","object":"model","created":1767225600,"owned_by":"mock"}]}')
LOST = _answer(
    '{"error":{"message":"nothing here","type":"not_found_error","param":null,"code":null}}', "404 Not Found"
)
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
ROLE = HEAD + _chunk(_delta('{"role":"assistant","content":""}'))
_BEFORE, _AFTER = _chunk(_delta(f'{{"content":"{"@" * len(stamp(0))} "}}')).split(b"@" * len(stamp(0)))
_FINISH = _chunk(_delta("{}", '"stop"'))
_LAST = _chunk("[DONE]") + b"0\r\n\r\n"
ENDS = {
    False: _FINISH + _LAST,
    True: _FINISH + _chunk(f'{{{_META},"object":"chat.completion.chunk","choices":[],{_COUNTS}}}') + _LAST,
}


class Connection:
    """What is known of one: bytes not yet understood, deltas still to send, and how its stream ends."""

    __slots__ = ("buffer", "due", "end", "left", "open", "sock")

    def __init__(self, sock: socket.socket) -> None:
        self.sock, self.buffer, self.left, self.end, self.due, self.open = sock, b"", 0, b"", 0, True


class Mock:
    """Serves `port` until the process is ended."""

    def __init__(self, port: int, pace_ms: int = 0, delay_ms: int = 0, deltas: int = 64) -> None:
        self.pace_ms, self.delay_ms, self.deltas = pace_ms, delay_ms, deltas
        self._wheel: list[list[Connection]] = [[] for _ in range(SLOTS)]
        self._waiting = 0
        self._turned = time.monotonic_ns() // 1_000_000  # every slot up to this millisecond was emptied
        self._requests, self._slip_ms, self._full = 0, 0, 0
        self._connections: dict[int, Connection] = {}
        self._listener = socket.create_server(("127.0.0.1", port), backlog=4096)
        self._listener.setblocking(False)
        self._epoll = select.epoll()
        self._epoll.register(self._listener.fileno(), select.EPOLLIN)

    def run(self) -> None:
        listener, connections, poll = self._listener.fileno(), self._connections, self._epoll.poll
        while True:
            for number, _ in poll(0.001 if self._waiting else None):
                if number == listener:
                    self._accept()
                else:
                    self._read(connections[number])
            if self._waiting:
                self._turn()
            else:
                self._turned = time.monotonic_ns() // 1_000_000

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except BlockingIOError:
                return
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._connections[sock.fileno()] = Connection(sock)
            self._epoll.register(sock.fileno(), select.EPOLLIN)

    def _close(self, connection: Connection) -> None:
        if connection.open:
            connection.open = False
            del self._connections[connection.sock.fileno()]
            connection.sock.close()

    def _send(self, connection: Connection, data: bytes) -> None:
        try:
            if connection.sock.send(data) == len(data):
                return
            self._full += 1
        except BlockingIOError:
            self._full += 1
        except OSError:
            pass
        self._close(connection)

    def _read(self, connection: Connection) -> None:
        try:
            data = connection.sock.recv(65536)
        except OSError:
            data = b""
        if not data:
            return self._close(connection)
        if connection.buffer:
            data = connection.buffer + data
        end = data.find(b"\r\n\r\n")
        if end < 0:
            connection.buffer = data
            return None
        place = data.find(b"ontent-", 0, end)  # of content-length, or of content-type before it
        while place >= 0 and data[place + 7 : place + 14].lower() != b"length:":
            place = data.find(b"ontent-", place + 7, end)
        size = int(data[place + 14 : data.find(b"\r", place)]) if place >= 0 else 0
        if len(data) < end + 4 + size:
            connection.buffer = data
            return None
        connection.buffer = b""
        if data.startswith(b"POST /v1/chat/completions"):
            return self._complete(connection, data)
        return self._send(connection, self._other(data.split(b" ", 2)[1].decode()))

    def _complete(self, connection: Connection, data: bytes) -> None:
        self._requests += 1
        if _STREAMS[0] in data or _STREAMS[1] in data:
            connection.end = ENDS[_USAGE[0] in data or _USAGE[1] in data]
            if self.pace_ms:
                connection.left = self.deltas - 1
                self._send(connection, ROLE + self._delta())
                return self._later(connection, time.monotonic_ns() // 1_000_000 + self.pace_ms)
            return self._send(connection, ROLE + self._delta() * self.deltas + connection.end)
        if self.delay_ms:
            connection.left = -1
            return self._later(connection, time.monotonic_ns() // 1_000_000 + self.delay_ms)
        return self._send(connection, WHOLE)

    def _delta(self) -> bytes:
        return _BEFORE + stamp(time.monotonic_ns() // 1000) + _AFTER

    def _later(self, connection: Connection, due: int) -> None:
        connection.due = due
        self._wheel[due % SLOTS].append(connection)
        self._waiting += 1

    def _turn(self) -> None:
        """Send what is due."""
        now = time.monotonic_ns() // 1_000_000
        for slot in range(self._turned + 1, now + 1):
            due, self._wheel[slot % SLOTS] = self._wheel[slot % SLOTS], []
            self._waiting -= len(due)
            for connection in due:
                if not connection.open:
                    continue
                if connection.left < 0:
                    self._send(connection, WHOLE)
                elif connection.left == 0:
                    self._send(connection, connection.end)
                else:
                    connection.left -= 1
                    self._send(connection, self._delta())
                    self._later(connection, connection.due + self.pace_ms)
            if due:
                self._slip_ms = max(self._slip_ms, time.monotonic_ns() // 1_000_000 - slot)
        self._turned = now

    def _other(self, path: str) -> bytes:
        if path.startswith("/v1/models"):
            return MODELS
        if path.startswith("/stats"):
            told = {"requests": self._requests, "slip_ms": self._slip_ms, "full": self._full}
            return _answer(json.dumps(told | {"cpu_s": time.process_time()}))
        if path.startswith("/control"):
            for name, value in parse_qsl(path.partition("?")[2]):
                if name in ("pace_ms", "delay_ms", "deltas") and 0 <= int(value) < SLOTS:
                    setattr(self, name, int(value))
            self._requests = self._slip_ms = self._full = 0
            return _answer("{}")
        return LOST


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--core", type=int, default=1)
    parser.add_argument("--pace-ms", type=int, default=0)
    parser.add_argument("--delay-ms", type=int, default=0)
    asked = parser.parse_args()
    os.sched_setaffinity(0, {asked.core})
    Mock(asked.port, asked.pace_ms, asked.delay_ms).run()


if __name__ == "__main__":
    main()
