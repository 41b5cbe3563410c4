"""An OpenAI-compatible server on the loopback that goes wrong in a chosen way."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler
from typing import Any, Literal

from luodi.engine import Message, Request, Sampling
from luodi.testing.engine import Answers, FakeEngine
from luodi.testing.loopback import Loopback

Mode = Literal[
    "ok",
    "slow headers",
    "never replies",
    "drops",
    "500",
    "429",
    "broken json",
    "wrong shape",
    "error event",
    "no finish",
]


class FaultyUpstream(Loopback):
    """Use it as a context manager; `mode` may be changed between calls.

    ok             streams the answer, usage and [DONE]     drops        closes the connection in mid-stream
    slow headers   waits `wait` seconds before the status   500, 429     that status (429 with retry-after: 2)
    never replies  sends nothing until it is closed         broken json  an event that is no JSON
    error event    an error object in mid-stream            wrong shape  JSON that is no chunk
    no finish      ends properly without a finish_reason

    Attributes:
        bodies: what each chat completion asked for.
        keys: the bearer token of each request.
        left: set once a caller has gone away in mid-stream.
    """

    def __init__(
        self,
        answers: Answers | str = "The answer is 42. [1]",
        *,
        mode: Mode = "ok",
        wait: float = 0.3,
        delay: float = 0.0,
    ):
        self.mode: Mode = mode
        self.wait = wait
        self.bodies: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.left = threading.Event()
        self.engine = FakeEngine(answers, delay=delay)
        super().__init__(_handler(self))

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self.engine.close()


def _handler(upstream: FaultyUpstream) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            return

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except ConnectionError:  # the caller is gone
                upstream.left.set()
            self.close_connection = True

        def do_GET(self) -> None:
            upstream.keys.append(self.headers.get("authorization", ""))
            if self._goes_wrong():
                return
            self._whole(200, {"object": "list", "data": [{"id": "fake", "object": "model"}]})

        def do_POST(self) -> None:
            upstream.keys.append(self.headers.get("authorization", ""))
            upstream.bodies.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            if not self._goes_wrong():
                _stream(upstream, self, upstream.bodies[-1])

        def _goes_wrong(self) -> bool:
            """What goes wrong before there is a status or instead of an answer; whether the call is over."""
            if upstream.mode == "never replies":
                upstream.closing.wait()
                return True
            if upstream.mode == "slow headers":
                upstream.closing.wait(upstream.wait)
            if upstream.mode in ("500", "429"):
                more = {"retry-after": "2"} if upstream.mode == "429" else {}
                self._whole(int(upstream.mode), {"error": {"message": f"told to answer {upstream.mode}"}}, more)
                return True
            if upstream.mode == "wrong shape" and self.command == "GET":
                self._whole(200, {"models": []})
                return True
            return False

        def _whole(self, status: int, value: Any, headers: dict[str, str] | None = None) -> None:
            body = json.dumps(value).encode()
            self.send_response(status)
            for name, text in {
                "content-type": "application/json",
                "content-length": str(len(body)),
                "connection": "close",
                **(headers or {}),
            }.items():
                self.send_header(name, text)
            self.end_headers()
            self.wfile.write(body)

    return Handler


def _stream(upstream: FaultyUpstream, handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
    handler.send_response(200)
    handler.send_header("content-type", "text/event-stream")
    handler.send_header("transfer-encoding", "chunked")
    handler.send_header("connection", "close")
    handler.end_headers()

    def event(data: bytes) -> None:
        line = b"data: " + data + b"\n\n"
        handler.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
        handler.wfile.flush()

    def chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> None:
        event(
            json.dumps(
                {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}, ensure_ascii=False
            ).encode()
        )

    chunk({"role": "assistant", "content": ""})
    ended = threading.Event()
    last: list[Any] = []

    def emit(delta: Any) -> None:
        try:
            if delta.text:
                chunk({"content": delta.text})
        except ConnectionError:
            upstream.left.set()
            cancel()
        if delta.finish:
            last.append(delta)
            ended.set()

    if upstream.mode not in ("ok", "slow headers"):
        chunk({"content": "The answer "})
        _fault(upstream.mode, handler, event)
        return
    messages = tuple(Message(m["role"], m["content"]) for m in body["messages"])
    stop = body.get("stop") or ()
    sampling = Sampling(max_tokens=body["max_tokens"], stop=(stop,) if isinstance(stop, str) else tuple(stop))
    go = threading.Event()

    def wait_then_emit(delta: Any) -> None:
        go.wait()  # `cancel` has its value only once submit has returned
        emit(delta)

    cancel = upstream.engine.submit(Request(messages, sampling), wait_then_emit)
    go.set()
    ended.wait()
    delta = last[0]
    chunk({}, delta.finish)
    if (body.get("stream_options") or {}).get("include_usage"):
        usage = {"prompt_tokens": delta.prompt_tokens, "completion_tokens": delta.completion_tokens}
        event(json.dumps({"choices": [], "usage": usage}).encode())
    event(b"[DONE]")
    handler.wfile.write(b"0\r\n\r\n")


def _fault(mode: Mode, handler: BaseHTTPRequestHandler, event: Any) -> None:
    if mode == "broken json":
        event(b'{"choices": [{"delta": {"conte')
    elif mode == "wrong shape":
        event(b'["no", "chunk"]')
    elif mode == "error event":
        event(b'{"error": {"message": "out of memory", "type": "server_error"}}')
    elif mode == "no finish":
        event(b"[DONE]")
    if mode == "drops":
        return  # without the last chunk: the connection just closes
    handler.wfile.write(b"0\r\n\r\n")
