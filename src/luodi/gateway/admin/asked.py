"""One request to the admin API, and what an endpoint says to it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from pydantic import BaseModel, ConfigDict, ValidationError

from luodi.gateway.admin.access import Who
from luodi.gateway.problem import Problem, has_half, invalid
from luodi.gateway.wire import Headers, parse_json

if TYPE_CHECKING:
    from luodi.gateway.admin.sessions import Sessions
    from luodi.gateway.core import Gateway
    from luodi.store import Store

MAX_BODY = 64 << 10  # bytes
PAGE, LONGEST_PAGE = 50, 200
_MOST = (1 << 62) - 1


class Body(BaseModel):
    """A request's body: no field that is not known, no value of another type."""

    model_config = ConfigDict(extra="forbid", strict=True)


@dataclass(slots=True)
class Asked:
    """What an endpoint is given.

    Attributes:
        path: parts of the path by name.
        query: by name; of a name that comes twice the last.
        body: typed, if the endpoint takes one.
        row: the call that the path names, if it names one, as the log has it; who asks may see it.
        own: whether the key that asks made that call.
        content: whether its question and answer may be shown to who asks.
    """

    gateway: Gateway
    who: Who
    sessions: Sessions
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    client: str = ""
    token: str = ""
    row: dict[str, Any] = field(default_factory=dict)
    own: bool = False
    content: bool = False

    @property
    def store(self) -> Store:
        return self.gateway.store

    def number(self, name: str, default: int, low: int, high: int = _MOST) -> int:
        """Raises: Problem if the query's value is no whole number in the range."""
        text = self.query.get(name, "")
        if not text:
            return default
        if not (text.isascii() and text.isdigit() and len(text) < 20 and low <= int(text) <= high):
            raise invalid(f"{name} must be a whole number from {low} to {high}, not {text[:40]!r}", name)
        return int(text)

    def limit(self) -> int:
        """How many rows a page has."""
        return self.number("limit", PAGE, 1, LONGEST_PAGE)

    def only(self, *names: str) -> None:
        """Raises: Problem if the query holds something else: a filter that is misspelt must not show everything."""
        for name in self.query:
            if name not in names:
                raise invalid(f"there is no parameter {name[:40]!r}; there are {', '.join(names) or 'none'}", name[:40])


@dataclass(slots=True)
class Said:
    """An answer with more than a JSON value. `token` is set as the session's cookie; "" takes it away."""

    value: Any
    status: int = 200
    token: str | None = None
    headers: Headers = field(default_factory=list)


async def read_limited(parts: AsyncIterable[bytes], length: str) -> bytes:
    """A whole body. Raises: Problem if it is longer than 64 KiB; a longer one is not read to its end."""
    if length.isascii() and length.isdigit() and int(length[:20]) > MAX_BODY:
        raise _too_large()
    body = b""
    async for part in parts:
        body += part
        if len(body) > MAX_BODY:
            raise _too_large()
    return body


def _too_large() -> Problem:
    return Problem(
        413, "invalid_request_error", f"the body is larger than {MAX_BODY >> 10} KiB", code="body_too_large",
        headers=((b"connection", b"close"),),
    )  # fmt: skip


def typed(body: bytes, model: type[Body]) -> Body:
    """The body as its model. Raises: Problem naming the first field that is wrong; no value is repeated."""
    value = parse_json(body or b"{}")
    if not isinstance(value, dict):
        raise invalid("the body must be a JSON object")
    check_texts(value)
    try:
        # Through JSON once more: strict mode takes a list for a tuple, and a number for a literal, only from JSON.
        return model.model_validate_json(json.dumps(value))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise invalid(f"{where or 'body'}: {first['msg']}", where or None) from error


def check_texts(value: Any) -> None:
    """Raises: Problem at what no database keeps: a NUL, or half of a surrogate pair."""
    if isinstance(value, str):
        if "\0" in value or has_half(value):
            raise invalid("a text holds a NUL, or half of a surrogate pair")
    elif isinstance(value, dict):
        for name, part in value.items():
            check_texts(name)
            check_texts(part)
    elif isinstance(value, list):
        for part in value:
            check_texts(part)


def query_of(raw: bytes) -> dict[str, str]:
    """Raises: Problem if a query is not UTF-8 or has too many parts."""
    try:
        found = parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=50)
    except ValueError as error:
        raise invalid("the query is not UTF-8, or has more than 50 parts") from error
    query = dict(found)
    check_texts(query)
    return query
