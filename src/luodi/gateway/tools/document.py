"""Reading an OpenAPI file. It may come from anybody: nothing in it is followed to the outside or unfolded."""

from __future__ import annotations

import json
import math
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from luodi.errors import ProjectError

_LARGEST = 4 << 20  # bytes
_DEEPEST = 64
_NODES = 400_000
_HOPS = 8


def read_document(path: Path) -> dict[str, Any]:
    """An OpenAPI 3.0 or 3.1 document, JSON or YAML, as plain values.

    Raises:
        ProjectError: it can't be read, is too large or too deep, uses YAML aliases, or is another version.
    """
    name = path.name
    try:
        if path.stat().st_size > _LARGEST:
            raise ProjectError(f"{name} is larger than {_LARGEST >> 20} MB", "keep only the operations that are used")
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ProjectError(f"{path} can't be read: {error.strerror}", "name an OpenAPI file") from error
    except UnicodeDecodeError as error:
        raise ProjectError(f"{name} is not UTF-8", "save it as UTF-8") from error
    try:
        loaded = json.loads(text) if text.lstrip().startswith("{") else _read_yaml(text, name)
        found = _plain(loaded, name, _DEEPEST)
    except (ValueError, RecursionError) as error:
        raise ProjectError(f"{name} is no JSON: {error}", "check it with the tool that wrote it") from error
    version = found.get("openapi") if isinstance(found, dict) else None
    if not isinstance(version, str) or not version.startswith(("3.0", "3.1")):
        raise ProjectError(f"{name} is no OpenAPI 3.0 or 3.1 document", "convert it if it is Swagger 2")
    document: dict[str, Any] = found
    return document


def _read_yaml(text: str, name: str) -> Any:
    import yaml

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        for count, event in enumerate(yaml.parse(text, Loader=loader)):
            if isinstance(event, yaml.AliasEvent):  # a few lines of them unfold to more than memory holds
                raise ProjectError(f"{name}: the alias *{event.anchor} can't be used", "use $ref instead")
            if count > _NODES:
                raise ProjectError(f"{name} has too many parts", "keep only the operations that are used")
        return yaml.load(text, loader)  # noqa: S506 - a safe loader
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        at = f":{where.line + 1}" if where is not None else ""
        raise ProjectError(f"{name}{at} is no YAML: {getattr(error, 'problem', error)}", "check its indents") from error


def _plain(value: Any, name: str, depth: int) -> Any:
    """The same with strings for keys and dates. Raises: ProjectError if JSON could not hold it."""
    if depth < 0:
        raise ProjectError(f"{name} is nested deeper than {_DEEPEST} levels", "write the inner parts as $ref")
    if isinstance(value, dict):
        return {str(k): _plain(v, name, depth - 1) for k, v in value.items()}
    if isinstance(value, list):
        return [_plain(v, name, depth - 1) for v in value]
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        raise ProjectError(f"{name} holds {value}, which JSON has not", "write a number")
    if value is None or isinstance(value, (str, int, float)):
        return value
    raise ProjectError(f"{name} holds a {type(value).__name__}, which JSON has not", "use plain values")


def at_pointer(document: dict[str, Any], pointer: Any) -> Any:
    """What a local reference names.

    Raises:
        ValueError: it leads out of the document, or to nothing.
    """
    if not isinstance(pointer, str) or not pointer.startswith("#/"):
        raise ValueError(f"the reference {str(pointer)[:100]!r} leads out of the file")
    found: Any = document
    for part in pointer[2:].split("/"):
        key = unquote(part).replace("~1", "/").replace("~0", "~")
        if isinstance(found, dict) and key in found:
            found = found[key]
        elif isinstance(found, list) and key.isdecimal() and int(key) < len(found):
            found = found[int(key)]
        else:
            raise ValueError(f"the reference {pointer[:100]!r} leads to nothing")
    return found


def followed(document: dict[str, Any], value: Any) -> dict[str, Any]:
    """An object, or the one that its `$ref` leads to. Raises: ValueError if there is none, or it goes in circles."""
    for _ in range(_HOPS):
        if not isinstance(value, dict):
            raise ValueError(f"{str(value)[:100]!r} is no object")
        if "$ref" not in value:
            return value
        value = at_pointer(document, value["$ref"])
    raise ValueError("a reference leads to itself")
