"""Signatures of the Standard Webhooks specification (version 1): HMAC-SHA256 over id, time and body."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Sequence

from luodi.errors import LuodiError

PREFIX = "whsec_"
_LEAST, _MOST = 24, 64  # bytes of a secret, as the specification says
_HINT = "a secret is whsec_ and the base64 of 24 to 64 random bytes; two, with a space between, while one is replaced"


def secrets_of(text: str, name: str) -> tuple[bytes, ...]:
    """The one or two secrets that an environment variable holds, the newest first.

    Raises:
        LuodiError: it holds none, or something else. The text itself is not shown.
    """
    found = []
    for part in text.split():
        try:
            secret = base64.b64decode(part.removeprefix(PREFIX), validate=True)
        except (binascii.Error, ValueError) as error:
            raise LuodiError(f"{name} holds no secret of a webhook", _HINT) from error
        if not _LEAST <= len(secret) <= _MOST:
            raise LuodiError(f"{name} holds a secret of {len(secret)} bytes", _HINT)
        found.append(secret)
    if not 1 <= len(found) <= 2:
        raise LuodiError(f"{name} holds {len(found)} secrets", _HINT)
    return tuple(found)


def headers_of(secrets: Sequence[bytes], id: str, time_s: int, body: bytes) -> dict[str, str]:
    """The three headers of a delivery; one signature for each secret. `time_s` is seconds since 1970."""
    signed = f"{id}.{time_s}.".encode() + body
    signatures = (base64.b64encode(hmac.digest(secret, signed, "sha256")).decode() for secret in secrets)
    return {
        "webhook-id": id,
        "webhook-timestamp": str(time_s),
        "webhook-signature": " ".join(f"v1,{s}" for s in signatures),
    }
