"""A receiver of webhooks on the loopback, which checks signatures with a few lines of its own."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OLDER = "whsec_" + base64.b64encode(bytes(range(32, 64))).decode()


@dataclass
class Got:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        return json.loads(self.body)

    def signed_with(self, secret: str) -> bool:
        key = base64.b64decode(secret.removeprefix("whsec_"))
        signed = f"{self.headers['webhook-id']}.{self.headers['webhook-timestamp']}.".encode() + self.body
        wanted = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        return f"v1,{wanted}" in self.headers["webhook-signature"].split(" ")


class Receiver:
    """Use it as a context manager. `answer` says the status of each request, by how many came before it.

    Attributes:
        got: what came, in order.
        location: sent along with a redirect.
    """

    def __init__(
        self, answer: Callable[[int], int] = lambda n: 200, *, body: bytes = b"ok", location: str = ""
    ) -> None:
        self.got: list[Got] = []
        self.came = threading.Condition()
        self._answer, self._body, self._location = answer, body, location
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/hook"

    def wait(self, count: int, timeout: float = 20.0) -> list[Got]:
        with self.came:
            assert self.came.wait_for(lambda: len(self.got) >= count, timeout), f"{len(self.got)} came, not {count}"
            return list(self.got)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                with receiver.came:
                    status = receiver._answer(len(receiver.got))
                    receiver.got.append(Got(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                    receiver.came.notify_all()
                self.send_response(status)
                if receiver._location:
                    self.send_header("location", receiver._location)
                self.send_header("content-length", str(len(receiver._body)))
                self.end_headers()
                with contextlib.suppress(OSError):
                    self.wfile.write(receiver._body)

            def log_message(self, *_: Any) -> None:
                pass

        return Handler

    def __enter__(self) -> Receiver:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
