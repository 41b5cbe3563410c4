"""Requests of OpenAI's responses in the chat form: items to messages, tools and formats to options."""

from __future__ import annotations

from typing import Any

from luodi.engine import Message
from luodi.gateway.problem import has_half, invalid
from luodi.gateway.surfaces.checks import flag, number, part
from luodi.gateway.surfaces.messages_in import image_part, joined

_ROLES = {"user": "user", "assistant": "assistant", "system": "system", "developer": "system"}
_TEXTS = ("input_text", "output_text", "text", "refusal")
_MOST = 2048  # items of an input
_SKIPPED = ("reasoning",)  # what a client sends back of an earlier answer and a chat model does not take


def messages_from(value: Any, instructions: str) -> tuple[Message, ...]:
    """Raises: Problem naming the item and what was expected."""
    messages = [Message("system", instructions)] if instructions else []
    if isinstance(value, str):
        return (*messages, Message("user", _whole(value, "input")))
    if not isinstance(value, list) or not value:
        raise invalid("'input' must be a string or a list of items", "input")
    if len(value) > _MOST:
        raise invalid(f"'input' has more than {_MOST} items", "input")
    for i, item in enumerate(value):
        where = f"input[{i}]"
        kind = item.get("type", "message") if isinstance(item, dict) else None
        if kind == "message":
            messages.append(_message(item, where))
        elif kind == "function_call":
            _add_call(messages, item, where)
        elif kind == "function_call_output":
            messages.append(_output(item, where))
        elif kind not in _SKIPPED:
            raise invalid(
                f"{where}: message, function_call and function_call_output are taken, not {kind!r}", where,
                "unsupported_content",
            )  # fmt: skip
    if not messages:
        raise invalid("'input' holds no message", "input")
    return tuple(messages)


def _whole(text: Any, where: str) -> str:
    if not isinstance(text, str) or has_half(text):
        raise invalid(f"{where} must be a string", where)
    return text


def _message(item: dict[str, Any], where: str) -> Message:
    role = item.get("role")
    if not isinstance(role, str) or role not in _ROLES:
        raise invalid(f"{where} needs a 'role' out of {', '.join(_ROLES)}", f"{where}.role")
    text, parts = _content(item.get("content"), f"{where}.content")
    return Message(_ROLES[role], text, parts)  # type: ignore[arg-type]


def _content(value: Any, where: str) -> tuple[str, tuple[dict[str, Any], ...]]:
    if not isinstance(value, list):
        return _whole(value, where), ()
    parts: list[dict[str, Any]] = []
    for n, item in enumerate(value):
        kind = item.get("type") if isinstance(item, dict) else None
        if kind in _TEXTS:
            parts.append({"type": "text", "text": _whole(item.get("refusal" if kind == "refusal" else "text"), where)})
        elif kind == "input_image" and item.get("file_id") is None:
            parts.append(image_part(item.get("image_url"), f"{where}[{n}]", item.get("detail")))
        else:
            raise invalid(
                f"{where}[{n}]: input_text, output_text and input_image with an image_url are taken, not {kind!r}",
                where, "unsupported_content",
            )  # fmt: skip
    return joined(parts)


def _add_call(messages: list[Message], item: dict[str, Any], where: str) -> None:
    """A function call belongs to the assistant's turn before it."""
    made = {
        "id": _whole(item.get("call_id"), f"{where}.call_id"),
        "type": "function",
        "function": {
            "name": _whole(item.get("name"), f"{where}.name"),
            "arguments": _whole(item.get("arguments"), f"{where}.arguments"),
        },
    }
    last = messages[-1] if messages else None
    if last is not None and last.role == "assistant":
        messages[-1] = Message("assistant", last.content, last.parts, (*last.tool_calls, made))
    else:
        messages.append(Message("assistant", "", (), (made,)))


def _output(item: dict[str, Any], where: str) -> Message:
    answers = _whole(item.get("call_id"), f"{where}.call_id")
    text, parts = _content(item.get("output"), f"{where}.output")
    if parts:
        raise invalid(f"{where}.output: tools answer with text", f"{where}.output", "unsupported_content")
    return Message("tool", text, (), (), answers)


NAMES = {"response_format": "text"}


def options_from(body: dict[str, Any]) -> dict[str, Any]:
    """Parameters in OpenAI's chat form. Raises: Problem if there is no such form of them."""
    options: dict[str, Any] = {"parallel_tool_calls": body.get("parallel_tool_calls")}
    tools = body.get("tools")
    if tools is not None:
        if not isinstance(tools, list):
            raise invalid("'tools' must be a list", "tools")
        options["tools"] = [_tool(tool, f"tools[{i}]") for i, tool in enumerate(tools)]
    options["tool_choice"] = _choice(body.get("tool_choice"))
    options["response_format"] = _format(part(body, "text"))
    include = body.get("include") or []
    if not isinstance(include, list):
        raise invalid("'include' must be a list", "include")
    if number(body, "top_logprobs", 0, 20) or "message.output_text.logprobs" in include:
        options |= {"logprobs": True, "top_logprobs": int(number(body, "top_logprobs", 0, 20) or 0) or None}
    flag(body, "parallel_tool_calls")
    if not options.get("tools"):
        options["tool_choice"] = options["parallel_tool_calls"] = None
    return options


def _tool(tool: Any, where: str) -> dict[str, Any]:
    kind = tool.get("type") if isinstance(tool, dict) else None
    if kind != "function":
        raise invalid(f"{where}: functions are taken, not {kind!r}", where, "unsupported_parameter")
    function = {k: tool[k] for k in ("name", "description", "parameters", "strict") if tool.get(k) is not None}
    return {"type": "function", "function": function}


def _choice(choice: Any) -> Any:
    if isinstance(choice, dict):
        if choice.get("type") != "function" or not isinstance(choice.get("name"), str):
            raise invalid("'tool_choice' must be none, auto, required or name a function", "tool_choice")
        return {"type": "function", "function": {"name": choice["name"]}}
    return choice


def _format(value: dict[str, Any]) -> Any:
    for name in value:
        if name not in ("format", "verbosity"):
            raise invalid(f"unknown field {name!r} of 'text'", "text", "unknown_parameter")
    wanted = value.get("format")
    if isinstance(wanted, dict) and wanted.get("type") == "json_schema":
        inner = {k: wanted[k] for k in ("name", "description", "schema", "strict") if wanted.get(k) is not None}
        return {"type": "json_schema", "json_schema": inner}
    return wanted
