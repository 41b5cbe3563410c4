"""Canonical JSON (RFC 8785), for what a log row may hold: text, integers, booleans, null, lists and dictionaries.

Floats are refused: a number that several libraries write in several ways is no ground for a hash.
"""

from __future__ import annotations

import json
from typing import Any

from luodi.errors import StoreError

try:
    import orjson
except ModuleNotFoundError:  # it comes with the extra `serve`; without it the standard library does the same, slower
    orjson = None  # type: ignore[assignment]

_ATOMS = {str, int, bool, type(None)}
_BOXES = {dict, list, tuple}
_MOST = (1 << 53) - 1  # what a double holds exactly (RFC 7493)
_DEPTH = 64


def canonical(value: Any) -> bytes:
    """The one byte string of a JSON value.

    Raises:
        StoreError: a float, an integer of 2^53 or more, a key that is no text, text that is no Unicode, another type.
    """
    if orjson is not None and _plain(value, _DEPTH):
        try:
            return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER)
        except TypeError:
            pass  # the slow way below says what is wrong
    try:
        return json.dumps(_checked(value, "", _DEPTH), separators=(",", ":"), ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise StoreError("half of a surrogate pair is no text", "replace what is not valid Unicode") from error


def _plain(value: Any, depth: int) -> bool:
    """Whether orjson may do it: exact types, and keys whose order is the same in UTF-8 and UTF-16."""
    if isinstance(value, dict):
        try:
            keys = "".join(value)
        except TypeError:
            return False
        if not keys.isascii() and max(keys) > "\uffff":
            return False
        values: Any = value.values()
    else:
        values = value if type(value) in _BOXES else (value,)
    kinds = set(map(type, values))
    if kinds <= _ATOMS:
        return True
    return kinds <= _ATOMS | _BOXES and depth > 0 and all(_plain(v, depth - 1) for v in values if type(v) in _BOXES)


def _checked(value: Any, at: str, depth: int) -> Any:
    """The value with its keys in the order of RFC 8785, section 3.2.3: by UTF-16 code units."""
    where = at or "the value"
    if isinstance(value, (dict, list, tuple)) and not depth:
        raise StoreError(f"{where} is nested deeper than {_DEPTH} levels", "flatten it")
    if type(value) is dict:
        for key in value:
            if type(key) is not str:
                raise StoreError(f"{where} has the key {key!r}, which is no text", "make it a string")
        order = sorted(value, key=lambda k: k.encode("utf-16-be", "surrogatepass"))
        return {k: _checked(value[k], f"{at}.{k}" if at else k, depth - 1) for k in order}
    if type(value) in (list, tuple):
        return [_checked(v, f"{at}[{n}]", depth - 1) for n, v in enumerate(value)]
    if type(value) is float:
        raise StoreError(
            f"{where} is the float {value!r}, which has no one canonical form",
            "scale it to an integer: milli, micro, nano",
        )
    if type(value) not in _ATOMS:
        raise StoreError(f"{where} is a {type(value).__name__}, which is no JSON", "make it text or a number")
    if type(value) is int and abs(value) > _MOST:
        raise StoreError(f"{where} is {value}, beyond 2^53", "write it as text, or in a larger unit")
    return value
