"""TLS of the gateway: a certificate that is taken up again when its files change, without a restart."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path

from luodi.errors import LuodiError

_log = logging.getLogger("luodi.gateway")


class Certificate:
    """A certificate chain and its key, in PEM files. TLS 1.2 or newer.

    New connections get what the files hold; those that are open go on. A pair that cannot be used (a broken file, a key
    that belongs to another certificate) is logged once and the one before stays.

    Raises:
        LuodiError: the pair cannot be used, when it is first read.
    """

    def __init__(self, cert: Path, key: Path) -> None:
        self.cert, self.key = cert, key
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._seen = self._state()
        try:
            _load(self.context, cert, key)
        except (OSError, ssl.SSLError, ValueError) as error:
            raise LuodiError(
                f"the certificate {cert} with the key {key} can't be used: {_reason(error)}",
                "both are PEM files, the key without a password and of this certificate",
            ) from error

    async def look(self) -> None:
        """Take up what the files hold now, if they have changed; called every second in the loop that serves."""
        state = self._state()
        if state == self._seen:
            return
        self._seen = state
        try:
            # on a context of its own first: a certificate without its key must not replace half of a working pair
            _load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), self.cert, self.key)
            _load(self.context, self.cert, self.key)
        except (OSError, ssl.SSLError, ValueError) as error:
            _log.error("the new certificate %s can't be used (%s); the one before stays", self.cert, _reason(error))
            return
        _log.warning("the certificate %s was taken up again", self.cert)

    def _state(self) -> tuple[tuple[int, int, int] | None, ...]:
        out: list[tuple[int, int, int] | None] = []
        for path in (self.cert, self.key):
            try:
                about = path.stat()
                out.append((about.st_mtime_ns, about.st_size, about.st_ino))
            except OSError:
                out.append(None)
        return tuple(out)


def _load(context: ssl.SSLContext, cert: Path, key: Path) -> None:
    context.load_cert_chain(cert, key, password=_no_password)


def _no_password() -> str:
    raise ValueError("the key has a password")


def _reason(error: Exception) -> str:
    return getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)


def own_server(cert: str) -> ssl.SSLContext:
    """For a client on the same machine: it trusts this very certificate, whatever name the certificate is for."""
    context = ssl.create_default_context(cafile=cert)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.check_hostname = False
    return context
