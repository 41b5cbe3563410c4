"""From OpenAPI's schemas to JSON Schema 2020-12, and validation that a hostile schema can't hold up."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from contextvars import ContextVar
from functools import cache, lru_cache
from itertools import pairwise
from typing import Any

import re2

from luodi.errors import require
from luodi.gateway.tools.document import at_pointer

_PLAIN = frozenset({
    "type", "enum", "const", "title", "description", "default", "format", "minLength", "maxLength", "minimum",
    "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minItems", "maxItems", "uniqueItems",
    "minProperties", "maxProperties", "required", "dependentRequired", "deprecated", "minContains", "maxContains",
})  # fmt: skip
_ONE = frozenset({"items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames"})
_LIST = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_MAP = frozenset({"properties", "dependentSchemas"})
_MOST = 300  # schemas that an operation's own refers to
_LARGEST = 256 << 10  # bytes of a tool's schema
_STEPS = 20_000  # references followed while one value is judged
_log = logging.getLogger("luodi.gateway")
_left: ContextVar[list[int]] = ContextVar("left")


class Schemas:
    """Collects the schemas of one operation. Those that are referred to are kept once, so that none is unfolded."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        self._names: dict[str, str] = {}
        self._waiting: list[str] = []

    def convert(self, schema: Any) -> Any:
        """The JSON Schema of an OpenAPI schema; what it refers to is in `definitions`.

        Raises:
            ValueError: a reference out of the file or to nothing, or no schema.
        """
        if isinstance(schema, bool):
            return schema
        if not isinstance(schema, dict):
            raise ValueError(f"{str(schema)[:60]!r} is no schema")
        out: dict[str, Any] = {}
        for key, value in schema.items():
            if key in _PLAIN:
                out[key] = value
            elif key in _ONE:
                out[key] = self.convert(value)
            elif key in _LIST and isinstance(value, list):
                out[key] = [self.convert(v) for v in value]
            elif key in _MAP and isinstance(value, dict):
                out[key] = {k: self.convert(v) for k, v in value.items()}
            elif key == "$ref":
                out["$ref"] = f"#/$defs/{self._name(value)}"
            elif key == "pattern" and _pattern(value):
                out["pattern"] = value
            elif key in ("$dynamicRef", "$recursiveRef"):
                raise ValueError(f"{key} is not taken")
        return _modern(out, schema.get("nullable") is True)

    def _name(self, pointer: Any) -> str:
        if pointer not in self._names:
            at_pointer(self._document, pointer)
            if len(self._names) >= _MOST:
                raise ValueError(f"its schema refers to more than {_MOST} others")
            base = re.sub(r"[^A-Za-z0-9_]", "_", pointer.rpartition("/")[2])[:60] or "schema"
            taken = set(self._names.values())
            name, n = base, 2
            while name in taken:
                name, n = f"{base}_{n}", n + 1
            self._names[pointer] = name
            self._waiting.append(pointer)
        return self._names[pointer]

    def definitions(self) -> dict[str, Any]:
        """All schemas that were referred to, directly or not."""
        found: dict[str, Any] = {}
        while self._waiting:
            pointer = self._waiting.pop()
            found[self._names[pointer]] = self.convert(at_pointer(self._document, pointer))
        return found


def _modern(schema: dict[str, Any], nullable: bool) -> Any:
    """OpenAPI 3.0's own keywords in today's words."""
    for bound, strict in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if isinstance(schema.get(strict), bool) and schema.pop(strict) and bound in schema:
            schema[strict] = schema.pop(bound)
    if not nullable:
        return schema
    if isinstance(schema.get("type"), str) and "enum" not in schema:
        return schema | {"type": [schema["type"], "null"]}
    return {"anyOf": [schema, {"type": "null"}]}


def _pattern(value: Any) -> bool:
    """Whether a pattern can be checked in linear time; others are left to the API itself."""
    try:
        _compiled(value)
    except (re2.error, TypeError):
        _log.warning("a pattern of an OpenAPI file is not checked here: %.100r", value)
        return False
    return True


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 1 << 20
    return re2.compile(pattern, options)


def check_schema(schema: dict[str, Any]) -> None:
    """Raises: ValueError if it is no JSON schema, or larger than a tool's may be."""
    jsonschema: Any = require("jsonschema", extra="serve")
    if len(json.dumps(schema)) > _LARGEST:
        raise ValueError(f"its schema has more than {_LARGEST >> 10} KiB")
    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        raise ValueError(f"its schema is none: {error.message[:200]}") from error


def mistake(schema: dict[str, Any], value: Any) -> str:
    """What is wrong with `value`, "" if nothing is. A schema that takes too long to check counts as wrong."""
    _left.set([_STEPS])
    try:
        error = next(_validator()(schema).iter_errors(value), None)
    except RecursionError:
        return "its schema goes in circles"
    except _TooManyStepsError:
        return "its schema takes too long to check"
    if error is None:
        return ""
    # Said in the schema's words only: the value is the caller's content, and this goes into the log.
    path = list(error.absolute_schema_path)
    names = [str(name) for before, name in pairwise(path) if before == "properties"]
    wanted = json.dumps(error.validator_value, ensure_ascii=False)[:200]
    return f"{'.'.join(names) or 'the arguments'}: {error.validator} {wanted}"


class _TooManyStepsError(Exception):
    pass


@cache
def _validator() -> Any:
    jsonschema: Any = require("jsonschema", extra="serve")
    plain = jsonschema.Draft202012Validator.VALIDATORS["$ref"]

    def ref(validator: Any, target: str, instance: Any, schema: Any) -> Iterator[Any]:
        left = _left.get()
        left[0] -= 1
        if left[0] < 0:
            raise _TooManyStepsError
        yield from plain(validator, target, instance, schema) or ()

    def pattern(validator: Any, wanted: str, instance: Any, schema: Any) -> Iterator[Any]:
        if isinstance(instance, str) and not _compiled(wanted).search(instance):
            yield jsonschema.ValidationError("it does not match")

    return jsonschema.validators.extend(jsonschema.Draft202012Validator, {"$ref": ref, "pattern": pattern})
