from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import pytest
from asking import ask

from luodi.errors import LuodiError, ReleaseError
from luodi.gateway import App
from luodi.gateway.served import check_privacy
from luodi.testing import call

Q = "How do I make a form field optional?"


def test_a_revoked_key_is_refused_within_a_second(house: Any) -> None:
    async def until_refused() -> float:
        assert (await ask(house, Q)).status == 200
        house.gateway.keys.revoke(house.key_id)
        began = time.monotonic()
        while (await ask(house, Q)).status == 200:
            assert time.monotonic() - began < 1.0, "still taken after a second"
            await asyncio.sleep(0.02)
        return time.monotonic() - began

    assert asyncio.run(until_refused()) < 1.0
    assert asyncio.run(ask(house, Q)).json()["error"]["code"] == "invalid_api_key"


def test_an_expired_key(house: Any) -> None:
    _, short = house.gateway.keys.create("short", days=1e-9)
    _, long = house.gateway.keys.create("long", days=1)
    assert [asyncio.run(ask(house, Q, key=k)).status for k in (short, long)] == [401, 200]


@pytest.mark.parametrize(("role", "days"), [("root", None), ("user", 0), ("user", -1)])
def test_keys_that_make_no_sense(house: Any, role: Any, days: float | None) -> None:
    with pytest.raises(LuodiError):
        house.gateway.keys.create("x", role, days=days)


def test_guesses_do_not_fill_the_memory(house: Any) -> None:
    keys = house.gateway.keys
    for n in range(20):
        keys._seen[str(n)] = (0.0, None)
    keys._seen.update({str(n): (0.0, None) for n in range(10_001)})
    keys.find("luodi-guess")
    assert len(keys._seen) == 1


@dataclass
class Page:
    status: int
    body: bytes
    content_type: str = "text/html"
    headers: tuple[tuple[str, str], ...] = (("x-frame-options", "DENY"),)


class Pages:
    def respond(self, path: str, *, language: str, key: str) -> Page | None:
        return Page(200, f"{path} {language} {key}".encode()) if path == "/" else None


@pytest.mark.parametrize(
    ("client", "host", "given"),
    [
        ("127.0.0.1", "127.0.0.1:8470", True),
        ("127.0.0.1", "localhost:8470", True),
        ("127.0.0.1", "localhost", True),
        ("::1", "[::1]:8470", True),
        ("::1", "[::1]", True),
        ("192.168.1.5", "127.0.0.1:8470", False),
        ("127.0.0.1", "evil.example:8470", False),
        ("127.0.0.1", "evil.example", False),
        ("127.0.0.1", "", False),
        ("127.0.0.1", "127.0.0.1.evil.example", False),
        ("127.0.0.1", "localhost.evil.example:80", False),
        ("127.0.0.1", "evil.example:127.0.0.1", False),
        ("10.0.0.1", "10.0.0.1:8470", False),
        ("127.0.0.1", "[::1", False),
    ],
)
def test_the_page_key_stays_on_this_machine(house: Any, client: str, host: str, given: bool) -> None:
    app = App(house.gateway, Pages(), "page-key")
    headers = [(b"host", host.encode())] if host else []
    reply = asyncio.run(call(app, "GET", "/", client=client, headers=headers))
    assert reply.status == 200 and (b"page-key" in reply.body) is given


def test_a_page_asked_for_through_a_proxy_gets_no_key(house: Any) -> None:
    app = App(house.gateway, Pages(), "page-key")
    for name in (b"x-forwarded-for", b"forwarded", b"x-real-ip", b"via"):
        headers = [(b"host", b"127.0.0.1:8470"), (name, b"203.0.113.9")]
        assert b"page-key" not in asyncio.run(call(app, "GET", "/", headers=headers)).body


def test_pages(house: Any) -> None:
    app = App(house.gateway, Pages())

    async def all_() -> list[Any]:
        chinese = [(b"accept-language", b"zh-CN,zh;q=0.9")]
        return [
            await call(app, "GET", "/"),
            await call(app, "GET", "/", headers=chinese),
            await call(app, "GET", "/", query=b"lang=zh"),
            await call(app, "GET", "/", query=b"lang=%ff", headers=chinese),
            await call(app, "GET", "/nothing"),
            await call(app, "POST", "/"),
        ]

    english, chinese, asked, odd, missing, posted = asyncio.run(all_())
    assert [r.body.split()[1] for r in (english, chinese, asked, odd)] == [b"en", b"zh", b"zh", b"en"]
    assert english.headers["x-frame-options"] == "DENY"
    assert missing.status == posted.status == 404


def test_lifespan(house: Any) -> None:
    sent: list[str] = []
    todo = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]

    async def receive() -> dict[str, Any]:
        return todo.pop(0)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message["type"])

    asyncio.run(house.app({"type": "lifespan"}, receive, send))
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


@pytest.mark.parametrize(
    ("engine", "privacy", "allowed"),
    [
        ("openvino", "own-engines-only", True),
        ("http://127.0.0.1:1/v1", "own-engines-only", True),
        ("https://api.example.com/v1", "own-engines-only", False),
        ("http://127.0.0.1.example.com/v1", "own-engines-only", False),
        ("http://127.0.0.1@example.com/v1", "own-engines-only", False),
        ("https://api.example.com/v1", "any", True),
    ],
)
def test_privacy(engine: str, privacy: str, allowed: bool) -> None:
    options = {"engine": engine, "privacy": privacy}
    if allowed:
        check_privacy(options)
    else:
        with pytest.raises(ReleaseError, match="on another machine"):
            check_privacy(options)
