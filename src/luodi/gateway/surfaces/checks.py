"""Checks of parameters that several surfaces share. All raise `Problem` naming the field and what was expected."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

import orjson

from luodi.engine import Sampling
from luodi.gateway.core import Gateway
from luodi.gateway.problem import Problem, has_half, invalid

NOTHING: tuple[Any, ...] = (None, False, 0, "none", "auto", [], {}, {"type": "text"}, ["text"])
"""Values that ask for nothing: taken where the parameter itself is not."""
PASSED = frozenset({
    "tools", "tool_choice", "parallel_tool_calls", "response_format", "n", "logprobs", "top_logprobs", "logit_bias",
    "frequency_penalty", "presence_penalty",
})  # fmt: skip
"""Parameters of OpenAI's chat form for models that take them."""
_LONGEST_USER = 190
_MOST_TOOLS = 256


def object_of(body: Any) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise invalid("the body must be a JSON object")
    return body


def check_fields(body: dict[str, Any], known: Set[str], refused: Mapping[str, str]) -> None:
    """`refused` says of known parameters why they are not taken; one that asks for nothing is."""
    for name, value in body.items():
        if name in refused:
            if value not in NOTHING:
                raise invalid(f"{name!r} is not taken here: {refused[name]}", name, "unsupported_parameter")
        elif name not in known and value is not None:
            raise invalid(f"unknown field {name!r}", name, "unknown_parameter")


def model_of(gateway: Gateway, body: dict[str, Any]) -> str:
    """The model that was asked for, if there is one of that name."""
    model = body.get("model")
    if not isinstance(model, str):
        raise invalid("'model' must be a string", "model")
    known = gateway.names()
    if model not in known:
        raise no_model(model, [name for name in known if "@" not in name])
    return model


def no_model(model: str, names: list[str]) -> Problem:
    return Problem(
        404, "not_found_error", f"there is no model {model!r}; there is {', '.join(map(repr, names))}", param="model",
        code="model_not_found",
    )  # fmt: skip


def number(body: dict[str, Any], name: str, low: float, high: float) -> float | None:
    """A number in [low, high], or None if it was not given."""
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise invalid(f"{name!r} must be a number from {low:g} to {high:g}", name)
    return float(value)


def flag(body: dict[str, Any], name: str) -> bool:
    """True or False; False if it was not given."""
    value = body.get(name)
    if value not in (None, True, False) or (isinstance(value, (int, float)) and not isinstance(value, bool)):
        raise invalid(f"{name!r} must be true or false", name)
    return value is True


def text(body: dict[str, Any], name: str, *, most: int = 1 << 20) -> str:
    """A string, "" if it was not given."""
    value = body.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > most:
        raise invalid(f"{name!r} must be a string of at most {most} characters", name)
    return value


def user_of(body: dict[str, Any], name: str = "user") -> str:
    """The end user as the caller names them."""
    return text(body, name, most=_LONGEST_USER)


def part(body: dict[str, Any], name: str) -> dict[str, Any]:
    """An object, empty if it was not given."""
    value = body.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise invalid(f"{name!r} must be an object", name)
    return value


def stops(value: Any, name: str = "stop") -> tuple[str, ...]:
    value = [value] if isinstance(value, str) else [] if value is None else value
    if (
        not isinstance(value, list)
        or len(value) > 4
        or any(not isinstance(s, str) or not s or has_half(s) for s in value)
    ):
        raise invalid(f"{name!r} must be a string or up to four of them", name)
    return tuple(value)


def sampling(
    gateway: Gateway, body: dict[str, Any], model: str, *, asked: float | None, stop: str = "stop", hottest: float = 2.0
) -> Sampling:
    """How to choose tokens. `asked` is the longest answer the caller wants, in tokens; `stop` names its field."""
    ceiling = longest_answer(gateway, model)
    top_p = number(body, "top_p", 0, 1)
    seed = number(body, "seed", -(2**63), 2**63)
    return Sampling(
        max_tokens=min(int(asked or ceiling), ceiling),
        temperature=number(body, "temperature", 0, hottest) or 0.0,
        top_p=1.0 if top_p is None else top_p,
        stop=stops(body.get(stop), stop),
        seed=int(seed or 0) & 0x7FFFFFFF,
    )


def longest_answer(gateway: Gateway, model: str) -> int:
    """Tokens: what the release allows for answers from its documents, half the context of other models."""
    served = gateway.served
    if gateway.names()[model] == "answer":
        return int(served.options["max_answer_tokens"])
    return max(16, max(u.context for u in served.pools[model].upstreams) // 2)


def passed_options(body: dict[str, Any], task: str, names: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Parameters for models that take them, out of a body in OpenAI's chat form.

    An answer from documents takes none. `names` are the fields' names in the form that the caller used.
    """
    passed = {name: body[name] for name in PASSED & body.keys() if body[name] is not None}
    if not passed:
        return passed
    names = names or {}
    if task == "answer":
        for name, value in passed.items():
            if value not in NOTHING and not (name == "n" and value == 1) and name != "parallel_tool_calls":
                name = names.get(name, name)
                raise invalid(f"answers from documents do not take {name!r}", name, "unsupported_parameter")
        return {}
    n = body.get("n")
    if n is not None and (isinstance(n, bool) or not isinstance(n, int) or not 1 <= n <= 16):
        raise invalid("'n' must be a whole number from 1 to 16", "n")
    for name in ("frequency_penalty", "presence_penalty"):
        number(body, name, -2, 2)
    number(body, "top_logprobs", 0, 20)
    flag(body, "logprobs")
    flag(body, "parallel_tool_calls")
    part(body, "logit_bias")
    _check_tools(passed, names)
    _check_format(passed, names.get("response_format", "response_format"))
    try:
        orjson.dumps(passed)
    except TypeError as error:  # what was read can't be written: it is nested too deep
        raise invalid(f"{next(iter(passed))!r} can't be passed on: {error}", next(iter(passed))) from error
    return {k: v for k, v in passed.items() if v != [] and not (k == "n" and v == 1) and v != {"type": "text"}}


def _check_tools(passed: dict[str, Any], names: Mapping[str, str]) -> None:
    tools = passed.get("tools", [])
    name = names.get("tools", "tools")
    if not isinstance(tools, list) or len(tools) > _MOST_TOOLS:
        raise invalid(f"{name!r} must be a list of at most {_MOST_TOOLS}", name)
    for i, tool in enumerate(tools):
        function = tool.get("function") if isinstance(tool, dict) else None
        if (
            not isinstance(function, dict)
            or not isinstance(function.get("name"), str)
            or not isinstance(function.get("parameters") or {}, dict)
        ):
            raise invalid(f"{name}[{i}] must be a function with a name and a schema of its parameters", name)
    choice = passed.get("tool_choice")
    if choice is not None and choice not in ("none", "auto", "required") and not isinstance(choice, dict):
        name = names.get("tool_choice", "tool_choice")
        raise invalid(f"{name!r} must be none, auto, required or name a function", name)


def _check_format(passed: dict[str, Any], name: str) -> None:
    wanted = passed.get("response_format")
    if wanted is None:
        return
    kind = wanted.get("type") if isinstance(wanted, dict) else None
    if kind not in ("text", "json_object", "json_schema"):
        raise invalid(f"{name!r} must have the type text, json_object or json_schema", name)
    schema = wanted.get("json_schema")
    if kind == "json_schema" and not (isinstance(schema, dict) and isinstance(schema.get("schema"), dict)):
        raise invalid(f"{name!r} needs a JSON schema", name)
