"""Structured answers: what a call needs of a model, and whether the answer keeps to its schema."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from luodi.errors import require
from luodi.gateway.call import Call, Piece
from luodi.gateway.problem import Problem, invalid

_LARGEST_SCHEMA = 65_536  # bytes


def needs_of(call: Call) -> frozenset[str]:
    """What a model must be able to do to answer a chat."""
    options = call.options
    needs = set()
    if options.get("tools"):
        needs.add("tools")
    if options.get("response_format"):
        needs.add("json_schema")
    if (options.get("n") or 1) > 1:
        needs.add("n")
    if options.get("logprobs"):
        needs.add("logprobs")
    if any(part.get("type") != "text" for m in call.messages for part in m.parts):
        needs.add("images")
    return frozenset(needs)


class Shape:
    """Gathers a reply and checks it once it is whole; the engine's grammar, where there is one, came before."""

    def __init__(self, schema: dict[str, Any] | None) -> None:
        self._schema = schema
        self._texts: dict[int, list[str]] = {}
        self._cut: set[int] = set()

    @staticmethod
    def of(options: dict[str, Any]) -> Shape | None:
        """The shape that a call asks for.

        Raises:
            Problem: the schema is none, or too large.
        """
        wanted = options.get("response_format") or {}
        if wanted.get("type") == "json_object":
            return Shape(None)
        if wanted.get("type") != "json_schema":
            return None
        schema = (wanted.get("json_schema") or {}).get("schema")
        if not isinstance(schema, dict):
            raise invalid("'response_format.json_schema.schema' must be a JSON schema", "response_format")
        _validator(json.dumps(schema, sort_keys=True))
        return Shape(schema)

    def feed(self, piece: Piece) -> None:
        if piece.text:
            self._texts.setdefault(piece.index, []).append(piece.text)
        if piece.finish in ("length", "content_filter", "tool_calls"):
            self._cut.add(piece.index)  # the caller is told by finish_reason that it is not the whole

    def check(self) -> None:
        """Raises: Problem if an answer is not JSON or does not keep to the schema."""
        for index, texts in self._texts.items():
            if index in self._cut:
                continue
            try:
                value = json.loads("".join(texts))
            except ValueError as error:
                raise _not_kept(f"the model's answer is not JSON: {error}") from error
            if self._schema is not None:
                wrong = _first_error(_validator(json.dumps(self._schema, sort_keys=True)), value)
                if wrong is not None:
                    where = "/".join(str(p) for p in wrong.absolute_path) or "the value"
                    raise _not_kept(f"the model's answer does not keep to the schema: {where}: {wrong.message[:200]}")


@lru_cache(maxsize=256)
def _validator(schema: str) -> Any:
    if len(schema) > _LARGEST_SCHEMA:
        raise invalid(f"the schema is larger than {_LARGEST_SCHEMA >> 10} kB", "response_format")
    jsonschema = require("jsonschema", extra="serve")
    made = json.loads(schema)
    try:
        jsonschema.Draft202012Validator.check_schema(made)
    except jsonschema.SchemaError as error:
        raise invalid(f"the schema is not valid: {error.message[:200]}", "response_format") from error
    # References are resolved inside the schema only: nothing is fetched for a caller.
    validator = jsonschema.Draft202012Validator(made, registry=require("referencing", extra="serve").Registry())
    values: list[Any] = [{}, [], "", 0]
    for value in values:  # most schemas that can't be applied are found before a model is asked
        _first_error(validator, value)
    return validator


def _first_error(validator: Any, value: Any) -> Any:
    """Raises: Problem if the schema can't be applied: it refers to what is not in it, or to itself without an end."""
    try:
        return next(validator.iter_errors(value), None)
    except Exception as error:  # jsonschema raises several unrelated types for what only shows when it is used
        raise invalid(f"the schema can't be applied: {type(error).__name__}", "response_format") from error


def _not_kept(message: str) -> Problem:
    return Problem(502, "upstream_error", message, code="invalid_model_output")
