"""What a caller is told when a call can't be answered."""

from __future__ import annotations

import re
from typing import Any

from luodi.errors import LuodiError

_HALF = re.compile("[\ud800-\udfff]")


class Problem(LuodiError):
    """A failure with its HTTP status and the fields of OpenAI's error object.

    401 authentication_error, 403 permission_error, 404 not_found, 400 invalid_request_error, 413 too large,
    429 rate_limit_error or insufficient_quota, 500 internal_error, 502 upstream_error, 503 overloaded_error.
    `headers` go with it: when to try again, and whether at all.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: tuple[tuple[bytes, bytes], ...] = (),
    ) -> None:
        super().__init__(message)
        self.status, self.kind, self.param, self.code = status, kind, param, code
        self.headers = headers

    def body(self) -> dict[str, Any]:
        return {"error": {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}}


def invalid(message: str, param: str | None = None, code: str | None = None) -> Problem:
    return Problem(400, "invalid_request_error", message, param=param, code=code)


def internal() -> Problem:
    return Problem(500, "internal_error", "the gateway made a mistake; it is in its log", code="internal_error")


def has_half(text: str) -> bool:
    """Whether `text` holds half of a surrogate pair, which no encoding and no engine can take."""
    return not text.isascii() and _HALF.search(text) is not None
