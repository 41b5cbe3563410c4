"""An operation of an OpenAPI file as a tool: its name, what it takes, and the request that a call makes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

from luodi.gateway.problem import invalid
from luodi.gateway.tools.document import followed
from luodi.gateway.tools.schema import Schemas, check_schema

_METHODS = ("get", "put", "post", "delete", "options", "head", "patch")
_PLACE = re.compile(r"\{([^{}]*)\}")
_OWN_HEADERS = frozenset({
    "authorization", "host", "cookie", "content-type", "content-length", "content-encoding", "transfer-encoding",
    "connection", "upgrade", "te", "trailer", "expect", "accept", "accept-encoding", "user-agent", "via", "forwarded",
    "proxy-authorization", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "origin", "referer",
})  # fmt: skip
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LONGEST = 4096  # characters of a value in the address or in a header
_DESCRIBED = 2000


@dataclass(frozen=True, slots=True)
class Parameter:
    """`key` is its name among the tool's arguments; `as_json` whether its value is JSON in a string."""

    key: str
    name: str
    place: Literal["path", "query", "header"]
    explode: bool
    as_json: bool


@dataclass(frozen=True, slots=True)
class Request:
    """`target` is path and query, percent-encoded; it is put behind the base address as it stands."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes | None


@dataclass(frozen=True, slots=True)
class Operation:
    """`schema` is the JSON schema of the arguments; the body, if it takes one, is the argument `body`."""

    id: str
    method: str
    path: str
    description: str
    parameters: tuple[Parameter, ...]
    body: bool
    schema: dict[str, Any]
    security: tuple[str, str] = ("authorization", "Bearer ")  # the header that takes the key, and what stands before it

    def request(self, arguments: dict[str, Any]) -> Request:
        """The request of a call whose arguments keep to the schema.

        Raises:
            Problem: a value that can't stand where it belongs.
        """
        path, query, headers = self.path, [], {}
        for p in self.parameters:
            if p.key not in arguments:
                continue
            values = [_text(p, v) for v in _values(p, arguments[p.key])]
            if p.place == "query":
                name = quote(p.name, safe="")
                encoded = [quote(v, safe="") for v in values]
                query += [f"{name}={v}" for v in encoded] if p.explode else [f"{name}={','.join(encoded)}"]
            elif p.place == "header":
                if any(_CONTROL.search(v) or not v.isascii() for v in values):
                    raise invalid(f"{p.key!r} can't stand in a header", p.key)
                headers[p.name] = ",".join(values)
            else:
                path = path.replace("{" + p.name + "}", ",".join(_segment(p, v) for v in values))
        body = None
        if self.body and "body" in arguments:
            body = json.dumps(arguments["body"], ensure_ascii=False).encode("utf-8", "replace")
            headers["content-type"] = "application/json"
        target = f"{path}?{'&'.join(query)}" if query else path
        return Request(self.method.upper(), target, headers, body)


def _values(p: Parameter, value: Any) -> list[Any]:
    if p.as_json:
        return [json.dumps(value, ensure_ascii=False)]
    return value if isinstance(value, list) else [value]


def _text(p: Parameter, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None or isinstance(value, (dict, list)):
        raise invalid(f"{p.key!r} must be a plain value", p.key)
    text = str(value)
    if len(text) > _LONGEST or (not text.isprintable() and _CONTROL.search(text)):
        raise invalid(f"{p.key!r} is too long, or holds control characters", p.key)
    return text.encode("utf-8", "replace").decode()


def _segment(p: Parameter, value: str) -> str:
    """One segment of a path. What a server could take for another path is refused, even where it is encoded."""
    if not value or any(part.strip() in (".", "..") for part in re.split(r"[/\\;]|%2f|%5c", value, flags=re.I)):
        raise invalid(f"{p.key!r} can't stand in a path", p.key)
    if "%2e" in value.lower():
        raise invalid(f"{p.key!r} can't stand in a path", p.key)
    return quote(value, safe="")


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, str, dict[str, Any], dict[str, Any]]]:
    """(operationId, method, path, operation, path item) of all that have an id. Raises: ValueError if it has none."""
    paths = document.get("paths")
    if not isinstance(paths, dict):
        raise ValueError("it has no paths")
    for path, item in paths.items():
        if not isinstance(item, dict) or "$ref" in item:
            continue
        for method in _METHODS:
            operation = item.get(method)
            if isinstance(operation, dict) and isinstance(operation.get("operationId"), str):
                yield operation["operationId"], method, path, operation, item


def parse_operation(
    document: dict[str, Any], id: str, method: str, path: str, operation: dict[str, Any], item: dict[str, Any]
) -> Operation:
    """Raises: ValueError naming what of the operation is not taken."""
    if not path.startswith("/") or re.search(r"[?#\\\s%]|/\.{1,2}(/|$)", path):
        raise ValueError(f"its path {path[:100]!r} is none")
    schemas = Schemas(document)
    given: dict[tuple[str, str], dict[str, Any]] = {}
    for entry in [*(item.get("parameters") or []), *(operation.get("parameters") or [])]:
        found = followed(document, entry)
        given[str(found.get("in")), str(found.get("name"))] = found  # the operation's own come last and count
    names = [name for _, name in given]
    parameters: list[Parameter] = []
    properties: dict[str, Any] = {}
    required: list[str] = []
    for (place, name), spec in given.items():
        if place == "cookie" or (place == "header" and name.lower() in _OWN_HEADERS):
            if spec.get("required") is True and name.lower() not in ("accept", "content-type", "authorization"):
                raise ValueError(f"it needs the {place} {name!r}, which is not sent")
            continue
        if place == "header" and not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name):
            raise ValueError(f"{name!r} is no name of a header")
        if place not in ("path", "query", "header"):
            raise ValueError(f"its parameter {name!r} is in {place!r}")
        key = name if names.count(name) == 1 and name != "body" else f"{place}_{name}"
        parameter, schema = _parameter(document, key, name, place, spec)  # type: ignore[arg-type]
        parameters.append(parameter)
        properties[key] = schemas.convert(schema)
        if isinstance(spec.get("description"), str) and isinstance(properties[key], dict):
            properties[key].setdefault("description", spec["description"][:_DESCRIBED])
        if place == "path" or spec.get("required") is True:
            required.append(key)
    if set(_PLACE.findall(path)) != {p.name for p in parameters if p.place == "path"}:
        raise ValueError(f"the parameters of its path {path!r} are not those that it describes")
    body = _body(document, operation)
    if body is not None:
        properties["body"] = schemas.convert(body[0])
        required += ["body"] if body[1] else []
    schema = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    if definitions := schemas.definitions():
        schema["$defs"] = definitions
    check_schema(schema)
    text = " ".join(str(operation.get(k) or "") for k in ("summary", "description")).strip()
    return Operation(
        id, method, path, text[:_DESCRIBED] or f"{method.upper()} {path}", tuple(parameters), body is not None, schema,
        _security(document, operation),
    )  # fmt: skip


def _parameter(
    document: dict[str, Any], key: str, name: str, place: Literal["path", "query", "header"], spec: dict[str, Any]
) -> tuple[Parameter, Any]:
    plain = {"path": "simple", "query": "form", "header": "simple"}[place]
    style = spec.get("style", plain)
    if style != plain:
        raise ValueError(f"its parameter {name!r} has the style {style!r}")
    content = spec.get("content")
    if isinstance(content, dict):
        if set(content) != {"application/json"}:
            raise ValueError(f"its parameter {name!r} is not JSON")
        schema = (content["application/json"] or {}).get("schema", {})
        return Parameter(key, name, place, False, True), schema
    schema = spec.get("schema", {})
    if isinstance(schema, dict) and "$ref" in schema:
        if followed(document, schema).get("type") == "object":
            raise ValueError(f"its parameter {name!r} is an object")
    elif isinstance(schema, dict) and schema.get("type") == "object":
        raise ValueError(f"its parameter {name!r} is an object")
    return Parameter(key, name, place, spec.get("explode", place == "query") is True, False), schema


def _body(document: dict[str, Any], operation: dict[str, Any]) -> tuple[Any, bool] | None:
    """(schema, whether it is needed) of a JSON body; None if the operation takes none."""
    if "requestBody" not in operation:
        return None
    body = followed(document, operation["requestBody"])
    content = body.get("content")
    kinds = content if isinstance(content, dict) else {}
    for kind, media in kinds.items():
        if kind.partition(";")[0].strip().lower() == "application/json" and isinstance(media, dict):
            return media.get("schema", {}), body.get("required") is True
    raise ValueError(f"it takes {', '.join(map(str, kinds)) or 'no kind of'} body, and not JSON")


def _security(document: dict[str, Any], operation: dict[str, Any]) -> tuple[str, str]:
    """Which header takes the key: what the file's first scheme says, if it is one for a header."""
    wanted = operation.get("security", document.get("security")) or []
    known = (document.get("components") or {}).get("securitySchemes") or {}
    for names in wanted:
        for name in names if isinstance(names, dict) else ():
            scheme = followed(document, known.get(name, {}))
            if scheme.get("type") == "apiKey" and scheme.get("in") == "header":
                header = str(scheme.get("name"))
                if re.fullmatch(r"[A-Za-z0-9-]+", header) and header.lower() not in _OWN_HEADERS - {"authorization"}:
                    return header.lower(), ""
            if scheme.get("type") == "http" and str(scheme.get("scheme")).lower() == "basic":
                return "authorization", "Basic "
    return "authorization", "Bearer "
