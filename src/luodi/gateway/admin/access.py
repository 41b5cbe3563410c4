"""Who asks, from where: keys, session cookies, and requests that another site made a browser send."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

from luodi.errors import LuodiError
from luodi.gateway.admin.people import actor_of
from luodi.gateway.admin.sessions import LONGEST_MS, Session
from luodi.gateway.keys import Principal, Role
from luodi.gateway.problem import Problem
from luodi.gateway.wire import Scope, header

COOKIE = "luodi-session"
SECURE_COOKIE = "__Host-luodi-session"  # browsers take it over HTTPS only, from this host only
ASKED_HERE = b"x-luodi"  # a header that a form of another site can't send


@dataclass(frozen=True, slots=True)
class Who:
    """Who asks: a person with a session, or a key."""

    role: Role
    actor: str  # as the log names them
    name: str
    team: str = ""
    key_id: str = ""
    session: Session | None = None

    @classmethod
    def of_key(cls, principal: Principal) -> Who:
        return cls(principal.role, principal.key_id, principal.owner, principal.team, principal.key_id)

    @classmethod
    def of_session(cls, session: Session) -> Who:
        return cls(session.role, actor_of(session.name), session.name, session.team, session=session)


def networks(proxies: Sequence[str]) -> tuple[str, ...]:
    """Raises: LuodiError if one of `proxies` is no address and no network."""
    for proxy in proxies:
        try:
            ip_network(proxy)
        except ValueError as error:
            raise LuodiError(f"{proxy!r} is no address of a proxy", "write for example 10.0.0.0/8") from error
    return tuple(proxies)


def is_secure(scope: Scope, proxies: Sequence[str] = ()) -> bool:
    """Whether the browser asked over HTTPS: here, or by a proxy on this machine or out of `proxies` that says so."""
    if scope.get("scheme") == "https":
        return True
    client = (scope.get("client") or ("", 0))[0]
    try:
        address = ip_address(client)
    except ValueError:
        return False
    trusted = address.is_loopback or any(address in ip_network(p) for p in proxies)
    return trusted and header(scope, b"x-forwarded-proto").rpartition(",")[2].strip().lower() == "https"


def cookie_name(secure: bool) -> str:
    return SECURE_COOKIE if secure else COOKIE


def token_of(scope: Scope, *, secure: bool) -> str:
    """The session token of a request; "" if it has none. Over HTTPS only the cookie that nobody else can set counts."""
    name = cookie_name(secure)
    for key, value in scope["headers"]:
        if key == b"cookie":
            for part in value.decode("latin-1").split(";"):
                found, _, token = part.strip().partition("=")
                if found == name:
                    return str(token)
    return ""


def set_cookie(token: str, *, secure: bool) -> tuple[bytes, bytes]:
    """The header that gives a browser its session; with an empty token it forgets it."""
    age = LONGEST_MS // 1000 if token else 0
    parts = [f"{cookie_name(secure)}={token}", "Path=/", f"Max-Age={age}", "HttpOnly", "SameSite=Strict"]
    return b"set-cookie", "; ".join([*parts, *(["Secure"] if secure else [])]).encode("latin-1")


def check_same_origin(scope: Scope, *, strict: bool) -> None:
    """Refuse a change that a page of another site asked for.

    A browser says where a request comes from (`Sec-Fetch-Site`, `Origin`); and what a form can send has neither the
    content type application/json nor a header of ours, so both are asked for.

    Args:
        strict: refuse a request that does not say where it comes from; for those that carry a session.

    Raises:
        Problem: 403.
    """
    site, origin = header(scope, b"sec-fetch-site").lower(), header(scope, b"origin")
    if site and site != "same-origin":
        raise _other_site(f"Sec-Fetch-Site is {site!r}")
    if origin and not _is_here(origin, header(scope, b"host")):
        raise _other_site(f"Origin is {origin!r}")
    if strict and not site and not origin:
        raise _other_site("it says neither Origin nor Sec-Fetch-Site; scripts use a key in place of a session")
    kind = header(scope, b"content-type").partition(";")[0].strip().lower()
    if kind != "application/json" and not header(scope, ASKED_HERE):
        raise _other_site("it is neither application/json nor has the header X-Luodi")


def _is_here(origin: str, host: str) -> bool:
    try:
        found = urlsplit(origin)
    except ValueError:
        return False
    return found.scheme in ("http", "https") and bool(host) and found.netloc.lower() == host.lower()


def _other_site(why: str) -> Problem:
    return Problem(403, "permission_error", f"this request may come from another site: {why}", code="cross_site")
