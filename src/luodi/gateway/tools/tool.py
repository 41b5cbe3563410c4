"""Calling an operation of another system. What comes back is untrusted text until the guard has seen it."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from collections.abc import AsyncGenerator, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from luodi.errors import ProjectError
from luodi.gateway.call import Call, Outcome, Piece
from luodi.gateway.problem import Problem, invalid
from luodi.gateway.tools.document import read_document
from luodi.gateway.tools.operation import Operation, operations, parse_operation
from luodi.gateway.tools.schema import mistake
from luodi.gateway.webhooks.outside import check_url, session

TIMEOUT_S = 20.0
LARGEST = 64 << 10  # bytes of arguments, and of a result
_MOST = 200  # tools of one file
_WITHHELD = "The result was withheld: it reads like an attempt to instruct the reader. ({mark})"


@dataclass(frozen=True, slots=True)
class Tool:
    """An operation that callers may use.

    Attributes:
        name: that callers use, unique in a gateway.
        group: the name in the project file.
        base: address before the operation's path; nothing but the path is ever put behind it.
    """

    name: str
    group: str
    base: str
    host: str
    operation: Operation
    secret: str = field(default="", repr=False)

    def work(self, arguments: Any) -> Any:
        """What a call of this tool does once all steps have let it pass; see `Call.work`."""

        def run(call: Call, outcome: Outcome) -> AsyncGenerator[Piece, None]:
            return self._run(call, outcome, arguments)

        return run

    async def _run(self, call: Call, outcome: Outcome, arguments: Any) -> AsyncGenerator[Piece, None]:
        outcome.kind, outcome.cost_nano_usd = "called", 0
        route = outcome.route = {"tool": self.group, "operation": self.operation.id}
        if not isinstance(arguments, dict) or len(json.dumps(arguments)) > LARGEST:
            raise invalid(f"the arguments must be an object of at most {LARGEST >> 10} KiB")
        if wrong := await asyncio.to_thread(mistake, self.operation.schema, arguments):
            raise invalid(f"this is not what {self.name!r} takes: {wrong}")
        status, text = await self._send(arguments)
        outcome.route = route | {"status": status}
        result = await asyncio.to_thread(call.release.guard.check_untrusted, text)
        outcome.verdicts += [v for v in result.verdicts if v.action != "allow" or not v.ran]
        outcome.finish = "stop"
        if result.stops:
            blocking = result.decisive
            outcome.kind, outcome.finish = "refused", "content_filter"
            yield Piece(_WITHHELD.format(mark=f"guard/{blocking.check}@{blocking.version.partition(':')[0]}"))
            return
        yield Piece(result.text)

    async def _send(self, arguments: dict[str, Any]) -> tuple[int, str]:
        """(status, text) of what came back. Raises: Problem if nothing did, or it is no text."""
        from aiohttp import ClientError
        from yarl import URL

        request = self.operation.request(arguments)
        headers = {"accept": "application/json, text/*", "accept-encoding": "identity", "user-agent": "Luodi-Tools/1"}
        headers |= request.headers | self._authorization()
        url = URL(self.base + request.target, encoded=True)
        refused: list[str] = []
        try:
            async with (
                session(self.host, TIMEOUT_S, refused) as client,
                client.request(
                    request.method, url, headers=headers, data=request.body, allow_redirects=False
                ) as answer,
            ):
                status, kind = answer.status, answer.headers.get("content-type", "")
                encoded = answer.headers.get("content-encoding", "identity")
                data = bytearray()
                async for part in answer.content.iter_any():
                    data += part
                    if len(data) > LARGEST:
                        break
                answer.close()
        except TimeoutError as error:
            raise self._failed(f"it did not answer within {TIMEOUT_S:g} s", 504) from error
        except (ClientError, OSError, ValueError) as error:
            raise self._failed("its address is not called" if refused else "it could not be reached") from error
        if 300 <= status < 400:
            raise self._failed(f"it answered {status}, and redirects are not followed")
        if len(data) > LARGEST:
            raise self._failed(f"its result has more than {LARGEST >> 10} KiB")
        if data and (encoded.lower() != "identity" or not _is_text(kind)):
            raise self._failed(f"its result is no text but {kind[:60] or 'of no kind'!r}")
        text = data.decode("utf-8", "replace").replace("\0", "")
        return status, text.replace(self.secret, "***") if self.secret else text

    def _authorization(self) -> dict[str, str]:
        if not self.secret:
            return {}
        header, before = self.operation.security
        basic = before == "Basic "
        return {header: before + (base64.b64encode(self.secret.encode()).decode() if basic else self.secret)}

    def _failed(self, why: str, status: int = 502) -> Problem:
        return Problem(status, "upstream_error", f"the tool {self.name!r} failed: {why}", code="tool_failed")


def _is_text(kind: str) -> bool:
    media = kind.partition(";")[0].strip().lower()
    return media.startswith("text/") or media.endswith(("/json", "+json"))


def open_tools(specs: Iterable[Mapping[str, Any]], *, plain: bool = False) -> dict[str, Tool]:
    """The tools of `serve.tools`, by name.

    Args:
        plain: whether http without TLS is good for other machines than this one.

    Raises:
        ProjectError: a file that can't be read, an operation that is not there or not taken, one that writes where
            only reading is allowed, or a variable that is not set.
    """
    found: dict[str, Tool] = {}
    for spec in specs:
        for tool in _open(spec, plain):
            if tool.name in found:
                raise ProjectError(f"serve.tools: there are two tools {tool.name!r}", "rename one of the groups")
            found[tool.name] = tool
    return found


def _open(spec: Mapping[str, Any], plain: bool) -> list[Tool]:
    group, path = str(spec["name"]), Path(spec["openapi"])
    base = str(spec["base_url"]).rstrip("/")
    host = check_url(base, f"tool {group!r}", plain=plain)
    if "?" in base:
        raise ProjectError(f"tool {group!r}: the base address has a query", "write it without")
    secret = ""
    if spec.get("auth"):
        variable = str(spec["auth"]).removeprefix("env:")
        secret = os.environ.get(variable, "")
        if not secret:
            raise ProjectError(f"tool {group!r}: {variable} is not set", "put the API's key into that variable")
        if not secret.isascii() or not secret.isprintable():
            raise ProjectError(f"tool {group!r}: {variable} can't stand in a header", "check the API's key")
    document = read_document(path)
    allowed = dict.fromkeys(spec["allow"])
    if len(allowed) > _MOST:
        raise ProjectError(f"tool {group!r} allows {len(allowed)} operations", f"at most {_MOST} are taken")
    try:
        known = {o[0]: o for o in operations(document)}
    except ValueError as error:
        raise ProjectError(f"tool {group!r}: {path.name}: {error}", "name an OpenAPI file") from error
    tools = []
    for id in allowed:
        if id not in known:
            there = ", ".join(sorted(known)[:20])
            raise ProjectError(f"tool {group!r}: {path.name} has no operation {id!r}", f"it has {there}")
        if known[id][1] != "get" and spec.get("writes") is not True:
            raise ProjectError(
                f"tool {group!r}: {id!r} is a {known[id][1].upper()}", "set writes: true if callers may change things"
            )
        try:
            operation = parse_operation(document, *known[id])
        except (ValueError, RecursionError) as error:
            raise ProjectError(f"tool {group!r}: {id!r} can't be a tool: {error}", "leave it out of allow") from error
        name = f"{group}_{''.join(c if c.isascii() and c.isalnum() else '_' for c in id)}"[:64]
        tools.append(Tool(name, group, base, host, operation, secret))
    return tools
