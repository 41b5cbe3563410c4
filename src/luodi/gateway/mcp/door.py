"""Who may come in to /mcp, before the protocol sees anything of the request."""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import ip_address
from urllib.parse import urlsplit

from luodi.gateway.problem import Problem
from luodi.gateway.wire import Scope, header

PATH = "/mcp"
_LOCAL = ("localhost", "127.0.0.1", "::1")


def check(scope: Scope, hosts: Collection[str]) -> None:
    """Whether a request may be heard at all.

    A web page may ask only from this machine or from one of `hosts`. The name that is asked for must be one of these
    or a bare address: a foreign name that was pointed at this machine (DNS rebinding) is refused.

    Raises:
        Problem: it may not, or it is no POST. Nothing is kept between requests, so there is no stream to GET.
    """
    host = _name(header(scope, b"host"))
    if not host or not (host in _LOCAL or host in hosts or _is_address(host)):
        raise Problem(
            421, "invalid_request_error", f"{PATH} is not served under the name {host[:100]!r}", code="unknown_host"
        )
    origin = header(scope, b"origin")
    if origin and _origin(origin) not in (*_LOCAL, *hosts):
        raise Problem(403, "permission_error", f"pages of {origin[:100]!r} may not use {PATH}", code="unknown_origin")
    if scope["method"] != "POST":
        raise Problem(
            405, "invalid_request_error", f"use POST here, not {scope['method']}", code="method_not_allowed",
            headers=((b"allow", b"POST"),),
        )  # fmt: skip


def _name(host: str) -> str:
    """A host without its port, in lower case."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower().rstrip(".")


def _origin(origin: str) -> str:
    try:
        return (urlsplit(origin).hostname or "").lower()
    except ValueError:
        return ""


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
