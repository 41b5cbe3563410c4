"""The admin API of a real server on a real socket: cookies, long and broken requests, what must not leak into headers."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from desks import PASSWORD

from luodi.gateway import ApiKeys
from luodi.gateway.admin import People
from luodi.store import Store
from luodi.testing import tiny_release

SERVING = Path(__file__).parents[1] / "serving.py"


class Server:
    def __init__(self, root: Path) -> None:
        self.store = Store(root)
        tiny_release(self.store)
        People(self.store).add("anna", "admin", PASSWORD)
        self.admin = ApiKeys(self.store).create("test", "admin")[1]
        self.process = subprocess.Popen(
            [sys.executable, str(SERVING), str(root), "0"], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.url, self.key = self.process.stdout.readline().split()
        self.host, port = self.url.removeprefix("http://").split(":")
        self.port = int(port)
        self.origin = {"origin": self.url}

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any, http.client.HTTPMessage]:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=20)
        given = {k.replace("_", "-"): v for k, v in headers.items()}
        data = None
        if body is not None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            given.setdefault("content-type", "application/json")
        connection.request(method, path, data, given)
        reply = connection.getresponse()
        told = json.loads(reply.read())
        connection.close()
        return reply.status, told, reply.headers

    def raw(self, request: bytes) -> bytes:
        """What comes back until the server closes, or for a moment."""
        with socket.create_connection((self.host, self.port), timeout=20) as sock:
            sock.sendall(request)
            sock.settimeout(5)
            parts = []
            try:
                while part := sock.recv(65536):
                    parts.append(part)
                    if b'"code"' in b"".join(parts):
                        break
            except (TimeoutError, ConnectionResetError):
                pass
        return b"".join(parts)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("admin-server") / "store")
    yield server
    server.process.terminate()
    assert server.process.stdout is not None
    assert "left in order" in server.process.stdout.read()
    assert server.process.wait(30) == 0
    server.process.stdout.close()
    server.store.database.close()


def sign_in(server: Server) -> str:
    status, _, headers = server.ask("POST", "/admin/session", {"name": "anna", "password": PASSWORD}, **server.origin)
    assert status == 200
    return str(headers["set-cookie"]).partition(";")[0]


def test_a_browser_s_way(server: Server) -> None:
    status, told, headers = server.ask(
        "POST", "/admin/session", {"name": "anna", "password": PASSWORD}, **server.origin
    )
    assert (status, told["name"]) == (200, "anna")
    assert headers["set-cookie"].endswith("; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict")
    assert len(headers.get_all("set-cookie") or []) == 1 and headers["cache-control"] == "no-store"
    assert "access-control-allow-origin" not in headers
    cookie = headers["set-cookie"].partition(";")[0]
    assert server.ask("GET", "/admin/people", cookie=cookie)[1]["data"][0]["name"] == "anna"
    made = server.ask("POST", "/admin/keys", {"owner": "shop"}, cookie=cookie, **server.origin)
    assert made[0] == 201
    stolen = server.ask("POST", "/admin/keys", {"owner": "evil"}, cookie=cookie, origin="http://evil.example")
    assert stolen[0] == 403
    assert server.ask("DELETE", "/admin/session", cookie=cookie, x_luodi="1", **server.origin)[0] == 200
    assert server.ask("GET", "/admin/people", cookie=cookie)[0] == 401


def test_behind_a_proxy_on_this_machine_the_cookie_is_secure(server: Server) -> None:
    body = {"name": "anna", "password": PASSWORD}
    headers = {"origin": f"https://{server.host}:{server.port}", "x_forwarded_proto": "https"}
    status, _, got = server.ask("POST", "/admin/session", body, **headers)
    assert status == 200 and got["set-cookie"].startswith("__Host-luodi-session=")
    assert got["set-cookie"].endswith("; Secure")


def test_disabling_ends_a_session_at_once(server: Server) -> None:
    People(server.store).add("bert", "auditor", PASSWORD)
    body = {"name": "bert", "password": PASSWORD}
    _, _, headers = server.ask("POST", "/admin/session", body, **server.origin)
    cookie = headers["set-cookie"].partition(";")[0]
    assert server.ask("GET", "/admin/log", cookie=cookie)[0] == 200
    People(server.store).change("bert", disabled=True)  # by another process
    assert server.ask("GET", "/admin/log", cookie=cookie)[0] == 401


def test_of_two_cookies_of_one_name_a_wrong_one_opens_nothing(server: Server) -> None:
    cookie = sign_in(server)
    assert server.ask("GET", "/admin/session", cookie=f"luodi-session=planted; {cookie}")[0] == 401
    assert server.ask("GET", "/admin/session", cookie="luodi-session=" + "\xff" * 10)[0] == 401
    assert server.ask("GET", "/admin/session", cookie=";;=;luodi-session")[0] == 401


def test_a_body_that_says_it_is_long_is_not_read(server: Server) -> None:
    head = f"POST /admin/keys HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.admin}\r\n"
    told = server.raw((head + "Content-Length: 999999999\r\n\r\n").encode())
    assert told.startswith(b"HTTP/1.1 413") and b"body_too_large" in told


def test_a_body_without_end_is_left(server: Server) -> None:
    head = f"POST /admin/keys HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.admin}\r\n"
    chunk = b"8000\r\n" + b"x" * 0x8000 + b"\r\n"
    told = server.raw((head + "Transfer-Encoding: chunked\r\n\r\n").encode() + chunk * 4)
    assert told.startswith(b"HTTP/1.1 413") and b"body_too_large" in told


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/records/%ff%fe", 404), ("/v1/records/%00", 400), ("/v1/records/a%2Fb", 404), ("/admin/log?kind=%ff", 400),
        ("/admin/log?kind=%00", 400), ("/admin/log?kind=%0d%0aSet-Cookie:x=1", 200), ("/admin//log", 404),
        ("/admin/../admin/log", 404), ("/admin/%2e%2e/log", 404), ("/admin/limits/%0d%0aX: 1", 404),
    ],
)  # fmt: skip
def test_paths_and_queries_that_are_broken(server: Server, path: str, status: int) -> None:
    head = f"GET {path.replace(' ', '%20')} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    told = server.raw(f"{head}Authorization: Bearer {server.admin}\r\n\r\n".encode())
    assert told.startswith(f"HTTP/1.1 {status}".encode()), told[:200]
    assert b"\r\nset-cookie" not in told.lower().partition(b"\r\n\r\n")[0]
    stranger = server.raw(f"{head}\r\n".encode())
    assert stranger.startswith(b"HTTP/1.1 401"), stranger[:200]


def test_nothing_of_a_request_gets_into_a_header(server: Server) -> None:
    name = "anna\r\nSet-Cookie: luodi-session=planted"
    status, told, headers = server.ask(
        "POST", "/admin/session", {"name": name, "password": "x"}, cookie="luodi-session=a\tb", **server.origin
    )
    assert status == 401 and "set-cookie" not in headers and "planted" not in str(told)


def test_calls_are_served_meanwhile_by_the_same_server(server: Server) -> None:
    body = {"model": "helpdesk", "messages": [{"role": "user", "content": "How do I make a form field optional?"}]}
    status, told, _ = server.ask("POST", "/v1/chat/completions", body, authorization=f"Bearer {server.key}")
    assert status == 200
    path = f"/v1/records/{told['luodi']['record']}/why"
    status, why, _ = server.ask("GET", path, authorization=f"Bearer {server.key}")
    assert status == 200 and why["answer"] == told["choices"][0]["message"]["content"]
    assert server.ask("GET", path)[0] == 401


def test_who_only_calls_loads_neither_starlette_nor_argon2() -> None:
    code = (
        "import sys; from luodi.gateway import App, Gateway; import luodi.gateway.admin, luodi.gateway.why;"
        "print([m for m in ('starlette', 'argon2') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
