"""The OpenAPI document of the admin API, made from its table."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from luodi.gateway.admin.asked import Asked

_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"}, "type": {"type": "string"}, "param": {"type": ["string", "null"]},
                "code": {"type": ["string", "null"]},
            },
        }
    },
}  # fmt: skip


def show(asked: Asked) -> dict[str, Any]:
    return document()


@cache
def document() -> dict[str, Any]:
    """OpenAPI 3.1."""
    from luodi import __version__
    from luodi.gateway.admin.table import TABLE

    paths: dict[str, dict[str, Any]] = {}
    schemas: dict[str, Any] = {}
    for entry in TABLE:
        path = entry.path.replace(":path}", "}")
        names = re.findall(r"\{(\w+)\}", path)
        operation: dict[str, Any] = {
            "summary": entry.summary,
            "operationId": f"{entry.handle.__module__.rpartition('.')[2]}_{entry.handle.__name__}"
            + ("_own" if path.startswith("/v1/") else ""),
            "parameters": [{"name": n, "in": "path", "required": True, "schema": {"type": "string"}} for n in names],
            "x-roles": sorted(entry.anybody),
            "responses": {
                "default": {"description": "a JSON object", "content": {"application/json": {}}},
                "4XX": {"description": "an error", "content": {"application/json": {"schema": _ERROR}}},
            },
        }
        if entry.open:
            operation["security"] = []
        if entry.body is not None:
            schema = entry.body.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas |= schema.pop("$defs", {})
            operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
        paths.setdefault(path, {})[entry.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": "Luodi admin API", "version": __version__},
        "paths": paths,
        "security": [{"key": []}, {"session": []}],
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "luodi-session"},
            },
        },
    }
