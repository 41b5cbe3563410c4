"""Which addresses a gateway may call by itself: for webhooks and for imported tools.

An address is judged twice: as it is written, and when the connection is made, by what its name resolved to then. A
name that is later pointed at another address gains nothing by it.
"""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from luodi.errors import ProjectError

if TYPE_CHECKING:
    from aiohttp import ClientSession

_METADATA = frozenset({
    IPv4Address("169.254.169.254"),  # most clouds
    IPv4Address("100.100.100.200"),  # Alibaba Cloud
    IPv4Address("168.63.129.16"),  # Azure
    IPv6Address("fd00:ec2::254"),  # Amazon
})  # fmt: skip
_NAT64 = IPv6Network("64:ff9b::/96")
_NAMES = ("localhost", "localhost.")


class RefusedAddressError(OSError):
    """An address that is not called."""


def is_loopback(host: str) -> bool:
    """Whether `host`, as written in a URL, can only be this machine."""
    if host in _NAMES:
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def check_url(url: str, what: str, *, plain: bool = False) -> str:
    """The host of `url`.

    Args:
        plain: whether http without TLS is good for other machines, too.

    Raises:
        ProjectError: it is no address of a server, holds a password, or is http without TLS.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise ProjectError(f"{what}: {url!r} is no address: {error}", "write for instance https://host/path") from error
    if parts.scheme not in ("http", "https") or not host or parts.fragment or any(c.isspace() for c in url):
        raise ProjectError(f"{what}: {url!r} is no address of a server", "write for instance https://host/path")
    if "@" in parts.netloc:
        raise ProjectError(f"{what}: the address holds a password", "put secrets into an environment variable")
    if parts.scheme == "http" and not plain and not is_loopback(host):
        raise ProjectError(
            f"{what}: {url!r} is not encrypted", "write https://, or set serve.privacy to any if that is meant"
        )
    try:
        refuse(host, host)
    except RefusedAddressError as error:
        raise ProjectError(f"{what}: {error}", "name the receiver's own address") from error
    return host


def refuse(address: str, host: str) -> None:
    """Judge an address that `host` has resolved to; a name is none and passes.

    Raises:
        RefusedAddressError: it is a link-local or metadata address, no address of one machine, or this machine under
            another's name.
    """
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return
    for form in _forms(found):
        if form.is_link_local or form in _METADATA:
            raise RefusedAddressError(f"{host} is {address}, which belongs to the machine's own network")
        if form.is_multicast or form.is_unspecified or form == IPv4Address("255.255.255.255"):
            raise RefusedAddressError(f"{host} is {address}, which is no address of one machine")
        if form.is_loopback and not is_loopback(host):
            raise RefusedAddressError(f"{host} is {address}, this machine under another name")


def _forms(address: IPv4Address | IPv6Address) -> list[IPv4Address | IPv6Address]:
    """The address, and the IPv4 addresses that are written inside it."""
    found: list[IPv4Address | IPv6Address] = [address]
    if isinstance(address, IPv6Address):
        found += [inner for inner in (address.ipv4_mapped, address.sixtofour, *(address.teredo or ())) if inner]
        if address in _NAT64 or (int(address) >> 32 == 0 and int(address) > 1):
            found.append(IPv4Address(int(address) & 0xFFFFFFFF))
    return found


def session(host: str, total_s: float, refused: list[str]) -> ClientSession:
    """An HTTP client that calls `host` and no other: each connection's address is judged as it is made.

    Why one was refused is put into `refused`; the client itself then fails as if nobody was there.

    Nothing is kept between requests, no proxy of the environment is asked, and no cookie is taken.
    """
    from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector

    def made(info: Any) -> socket.socket:
        family, kind, protocol, _, where = info
        try:
            refuse(str(where[0]), host)
        except RefusedAddressError as error:
            refused.append(str(error))
            raise
        return socket.socket(family, kind, protocol)

    connector = TCPConnector(socket_factory=made, use_dns_cache=False, force_close=True, limit=0)
    timeout = ClientTimeout(total=total_s)
    return ClientSession(
        connector=connector, timeout=timeout, cookie_jar=DummyCookieJar(), trust_env=False, auto_decompress=False,
        max_line_size=8190, max_field_size=8190,
    )  # fmt: skip
