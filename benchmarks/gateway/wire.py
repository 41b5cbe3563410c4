"""What both loads have in common: requests as bytes, and connections that are blocked by nobody."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from string import ascii_lowercase

PROMPT = 100  # characters
_MARK, _SAME = "@@@@@@", b"prices"  # as long: the length of the body is in the head
_WORDS = (bytes(ord(c) for c in letters) for letters in product(ascii_lowercase, repeat=len(_MARK)))
_TEXT = f"How do I make the field {_MARK} optional in the form of a model, and which other options has it? "


@dataclass(frozen=True, slots=True)
class Target:
    """Where requests go. `model` and `key` are what this server knows."""

    port: int
    model: str = "mock"
    key: str = "none"


def requests(target: Target, *, unique: bool = True, stream: bool = False) -> Callable[[], bytes]:
    """A function that gives the next request. `unique`: no two have the same prompt, 300 million times over."""
    prompt = _TEXT.ljust(PROMPT, "?")
    assert len(prompt) == PROMPT
    body: dict[str, object] = {
        "model": target.model,
        "messages": [{"role": "user", "content": prompt}],
        "max_tokens": 64,
        "temperature": 0,
    }
    if stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    data = json.dumps(body, separators=(",", ":")).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:{target.port}\r\nauthorization: Bearer {target.key}\r\n"
        f"content-type: application/json\r\naccept: */*\r\ncontent-length: {len(data)}\r\n\r\n"
    )
    before, after = (head.encode() + data).split(_MARK.encode())
    if not unique:
        same = before + _SAME + after
        return lambda: same
    return lambda: before + next(_WORDS) + after


def connect(port: int) -> socket.socket:
    """Raises: OSError if nobody listens."""
    sock = socket.create_connection(("127.0.0.1", port), timeout=10)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setblocking(False)
    return sock


def get(port: int, path: str, method: str = "GET", key: str = "none", timeout_s: float = 10) -> tuple[int, bytes]:
    """Status and body of one request. Raises: OSError if there is no answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout_s) as sock:
        head = f"{method} {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nauthorization: Bearer {key}\r\n"
        sock.sendall(f"{head}content-length: 0\r\n\r\n".encode())
        data = b""
        while not complete(data):
            piece = sock.recv(65536)
            if not piece:
                break
            data += piece
    if not data.startswith(b"HTTP/1.1 "):
        raise OSError(f"no answer to {method} {path}: {data[:80]!r}")
    return int(data[9:12]), data.partition(b"\r\n\r\n")[2]


def complete(data: bytes) -> bool:
    """Whether `data` holds a whole response."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return False
    place = data.find(b"ontent-length: ", 0, end)
    if place < 0:
        place = data.find(b"ontent-Length: ", 0, end)
    if place < 0:
        return data.endswith(b"\r\n0\r\n\r\n")
    return len(data) >= end + 4 + int(data[place + 15 : data.find(b"\r", place)])
