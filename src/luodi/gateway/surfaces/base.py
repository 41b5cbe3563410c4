"""What every surface does, and what several share on the way out."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Protocol

from luodi.gateway.call import Call, Piece, Reply
from luodi.gateway.core import Gateway
from luodi.gateway.problem import Problem, internal
from luodi.gateway.wire import dump

log = logging.getLogger("luodi.gateway")


class Surface(Protocol):
    """One request of one API.

    A surface is made for a request: `parse` gives the call, then `whole` or `events` says its reply.

    Attributes:
        stream: whether the caller asked for events; known after `parse`.
        failed: whether the events told of a failure.
        id_headers: names under which this API's clients look for a request's id.
    """

    stream: bool
    failed: bool
    id_headers: tuple[bytes, ...]

    def __init__(self, gateway: Gateway) -> None: ...

    def parse(self, body: Any, secret: str, headers: dict[str, str]) -> Call:
        """Raises: Problem naming the field and what was expected."""
        ...

    async def whole(self, call: Call, reply: Reply) -> dict[str, Any]:
        """The body of a response that is not a stream."""
        ...

    def events(self, call: Call, reply: Reply) -> AsyncGenerator[bytes, None]:
        """The server-sent events of a stream. A failure on the way is an event too, since the status is long sent."""
        ...

    def problem(self, problem: Problem) -> dict[str, Any]:
        """The error object of this API."""
        ...


class Base:
    """A surface in OpenAI's manner. Those that stream say `_events`, and `_failure` if theirs has another form."""

    id_headers: tuple[bytes, ...] = (b"x-request-id",)

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self.stream = False
        self.failed = False

    async def events(self, call: Call, reply: Reply) -> AsyncGenerator[bytes, None]:
        try:
            async with aclosing(self._events(call, reply)) as events:
                async for event in events:
                    yield event
        except Problem as problem:
            self.failed = True
            yield self._failure(problem)
        except Exception:  # a mistake of ours: the caller gets an error object, the log gets the rest
            log.exception("a call failed on the way")
            self.failed = True
            yield self._failure(internal())

    def _events(self, call: Call, reply: Reply) -> AsyncGenerator[bytes, None]:
        raise NotImplementedError

    def _failure(self, problem: Problem) -> bytes:
        return data(problem.body())

    def problem(self, problem: Problem) -> dict[str, Any]:
        return problem.body()


def data(value: Any) -> bytes:
    """One server-sent event."""
    return b"data: " + dump(value) + b"\n\n"


def named(kind: str, value: dict[str, Any]) -> bytes:
    """One server-sent event with a name, which is the value's type too."""
    return b"event: " + kind.encode() + b"\ndata: " + dump({"type": kind} | value) + b"\n\n"


def shown_model(call: Call) -> str:
    """What answered: the release with its version, or the model as the caller named it."""
    return call.served.release if call.task == "answer" and call.served else call.model


async def gather(reply: Reply) -> tuple[dict[int, list[Piece]], str]:
    """All pieces by choice, and the text of the first."""
    found: dict[int, list[Piece]] = {}
    async for piece in reply.pieces:
        found.setdefault(piece.index, []).append(piece)
    return found, "".join(p.text for p in found.get(0, ()))


def gather_tools(pieces: list[Piece]) -> list[dict[str, Any]]:
    """Whole tool calls, in OpenAI's chat form, out of their parts."""
    calls: dict[int, dict[str, Any]] = {}
    for p in pieces:
        if p.tool is not None:
            call = calls.setdefault(
                p.tool["index"], {"id": "", "type": "function", "function": {"name": "", "arguments": ""}}
            )
            call["id"] = call["id"] or p.tool["id"]
            call["function"]["name"] = call["function"]["name"] or p.tool["name"]
            call["function"]["arguments"] += p.tool["arguments"]
    return [calls[position] for position in sorted(calls)]


def citations_in(reply: Reply, text: str) -> list[dict[str, Any]]:
    """Where the text cites which source, as the fields of OpenAI's `url_citation`."""
    found = []
    for c in reply.outcome.citations:
        at = text.find(f"[{c.number}]")
        found.append({"url": f"{c.source}#{c.path}:{c.line}", "title": c.title, "start_index": at,
                      "end_index": at + len(f"[{c.number}]")})  # fmt: skip
    return found


def luodi_part(call: Call, reply: Reply) -> dict[str, Any]:
    """What Luodi adds to every API's form, under the key `luodi`."""
    o = reply.outcome
    return {
        "kind": o.kind,
        "release": call.served.release if call.served else "",
        "record": call.id,
        "cached": o.cached,
        "citations": [c.as_dict() for c in o.citations],
        "nearest": [c.as_dict() for c in o.nearest],
        "checks": o.checks,
        "confidence": None if o.confidence is None else round(o.confidence, 3),
        "missing": list(o.missing),
        "conflicts": list(o.conflicts),
        "verdicts": [
            {"check": v.check, "version": v.version, "ran": v.ran, "score": round(v.score, 3), "action": v.action}
            for v in o.verdicts
        ],
        "route": {k: v for k, v in o.route.items() if k in ("model", "upstream", "reason")},
        "cost_usd": (o.cost_nano_usd or 0) / 1e9,
        "label": o.label,
    }


def usage_of(reply: Reply) -> dict[str, Any]:
    o = reply.outcome
    return {
        "prompt_tokens": o.prompt_tokens,
        "completion_tokens": o.completion_tokens,
        "total_tokens": o.prompt_tokens + o.completion_tokens,
    }
