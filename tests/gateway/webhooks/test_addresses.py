"""Which addresses are called."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest
from receiver import SECRET, Receiver

from luodi.errors import LuodiError, ProjectError
from luodi.gateway.webhooks import Hook, open_hooks, send_once
from luodi.gateway.webhooks.outbox import Delivery
from luodi.gateway.webhooks.outside import RefusedAddressError, check_url, refuse
from luodi.gateway.webhooks.sign import secrets_of

EVENT = Delivery(1, "evt_1", 1, "ping", "one", "{}", 1, 1, 0, "")


@pytest.mark.parametrize(
    "url",
    ["ftp://host/", "https://", "http://host/hook", "https://u:p@host/", "https://169.254.169.254/", "https://[fe80::1]/",
     "http://[::ffff:169.254.169.254]/", "https://0.0.0.0/", "https://224.0.0.1/", "https://100.100.100.200/",
     "https://host:99999/", "https://ho st/", "https://host/#x"],
)  # fmt: skip
def test_addresses_that_are_refused_as_written(url: str) -> None:
    with pytest.raises(ProjectError):
        check_url(url, "webhook 'x'")


def test_addresses_that_are_taken() -> None:
    for url in ("https://host/x", "http://127.0.0.1:8/x", "http://localhost/x", "http://[::1]/x", "https://10.0.0.7/x"):
        assert check_url(url, "x")
    assert check_url("http://host/x", "x", plain=True) == "host"


@pytest.mark.parametrize(
    "address",
    ["169.254.169.254", "169.254.0.9", "fe80::1%eth0", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "::a9fe:a9fe",
     "2002:a9fe:a9fe::1", "fd00:ec2::254", "0.0.0.0", "::", "ff02::1", "127.0.0.1", "::1", "::ffff:127.0.0.1"],
)  # fmt: skip
def test_addresses_that_a_name_must_not_lead_to(address: str) -> None:
    with pytest.raises(RefusedAddressError):
        refuse(address, "innocent.example")


def test_addresses_that_a_name_may_lead_to() -> None:
    for address in ("93.184.216.34", "10.1.2.3", "192.168.0.4", "2606:4700::1111"):
        refuse(address, "hooks.example")
    refuse("127.0.0.1", "localhost")


def _resolve_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    """All names resolve to these, one after another; the real resolver's own call is what is replaced."""
    asked: list[str] = []

    async def getaddrinfo(self: Any, host: Any, port: Any, **_: Any) -> Any:
        asked.append(str(host))
        address = addresses[min(len(asked), len(addresses)) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", getaddrinfo)
    return asked


def test_a_name_that_is_pointed_elsewhere_after_it_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    with Receiver() as receiver:
        port = receiver.url.rpartition(":")[2].partition("/")[0]
        for address in ("127.0.0.1", "169.254.169.254"):
            asked = _resolve_to(monkeypatch, address)
            hook = Hook("one", f"http://innocent.example:{port}/", "innocent.example", secrets_of(SECRET, "S"))
            status, done = asyncio.run(send_once(hook, EVENT))
            assert not done and asked == ["innocent.example"] and status.startswith("refused: ") and address in status
        assert receiver.got == []


def test_a_redirect_is_not_followed() -> None:
    with Receiver() as inner, Receiver(lambda n: 307, location=inner.url) as outer:
        hook = Hook("one", outer.url, "127.0.0.1", secrets_of(SECRET, "S"))
        status, done = asyncio.run(send_once(hook, EVENT))
        assert status.startswith("307") and not done
        assert len(outer.got) == 1 and inner.got == []


def test_no_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with Receiver() as proxy, Receiver() as receiver:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        hook = Hook("one", receiver.url, "127.0.0.1", secrets_of(SECRET, "S"))
        assert asyncio.run(send_once(hook, EVENT)) == ("200", True)
        assert proxy.got == []


def test_webhooks_of_the_project_file(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = {"name": "ops", "url": "https://hooks.example/luodi", "secret": "env:OPS_SECRET", "events": ["key.revoked"]}
    monkeypatch.delenv("OPS_SECRET", raising=False)
    with pytest.raises(ProjectError, match="OPS_SECRET is not set"):
        open_hooks([spec])
    monkeypatch.setenv("OPS_SECRET", "hunter2")
    with pytest.raises(LuodiError) as told:
        open_hooks([spec])
    assert "hunter2" not in told.value.message
    monkeypatch.setenv("OPS_SECRET", SECRET)
    (hook,) = open_hooks([spec]).values()
    assert hook.wants("key.revoked") and not hook.wants("review.waiting") and SECRET not in repr(hook)
    assert bytes(range(32)) not in repr(hook).encode()
    with pytest.raises(ProjectError, match="twice"):
        open_hooks([spec, spec])
