"""Requests of Anthropic's messages in OpenAI's chat form: blocks to messages, tools to options."""

from __future__ import annotations

import json
from typing import Any

from luodi.engine import Message
from luodi.gateway.problem import Problem, has_half, invalid
from luodi.gateway.surfaces.checks import flag, part
from luodi.gateway.surfaces.messages_in import image_part, joined

_MOST = 2048
_SKIPPED = ("thinking", "redacted_thinking")  # of an earlier answer; a chat model does not take them
NAMES = {"response_format": "output_config"}


def messages_from(body: dict[str, Any]) -> tuple[Message, ...]:
    """Raises: Problem naming the message and what was expected."""
    messages = _system(body.get("system"))
    value = body.get("messages")
    if not isinstance(value, list) or not value:
        raise invalid("'messages' must be a list with at least one message", "messages")
    if len(value) > _MOST:
        raise invalid(f"'messages' has more than {_MOST} messages", "messages")
    for i, item in enumerate(value):
        where = f"messages[{i}]"
        role = item.get("role") if isinstance(item, dict) else None
        content = item.get("content") if isinstance(item, dict) else None
        if isinstance(content, str):
            content = [{"type": "text", "text": content}]
        if not isinstance(content, list) or any(not isinstance(b, dict) for b in content):
            raise invalid(f"{where}.content must be a string or a list of blocks", f"{where}.content")
        if role == "user":
            messages += _user(content, f"{where}.content")
        elif role == "assistant":
            messages.append(_assistant(content, f"{where}.content"))
        elif role == "system":
            messages.append(Message("system", "\n".join(_text(b, f"{where}.content") for b in content)))
        else:
            raise invalid(f"{where} needs the 'role' user or assistant", f"{where}.role")
    return tuple(messages)


def _system(value: Any) -> list[Message]:
    if value is None or value == "":
        return []
    blocks = [{"type": "text", "text": value}] if isinstance(value, str) else value
    if not isinstance(blocks, list) or any(not isinstance(b, dict) for b in blocks):
        raise invalid("'system' must be a string or a list of text blocks", "system")
    return [Message("system", "\n".join(_text(b, "system") for b in blocks))] if blocks else []


def _text(block: dict[str, Any], where: str) -> str:
    text = block.get("text")
    if block.get("type") != "text" or not isinstance(text, str) or has_half(text):
        raise invalid(f"{where} must hold text blocks, not {block.get('type')!r}", where, "unsupported_content")
    return text


def _user(blocks: list[dict[str, Any]], where: str) -> list[Message]:
    """Results of tools become turns of their own, before what the user says beside them."""
    out: list[Message] = []
    parts: list[dict[str, Any]] = []
    for n, block in enumerate(blocks):
        kind = block.get("type")
        if kind == "tool_result":
            out.append(_result(block, f"{where}[{n}]"))
        elif kind == "image":
            parts.append(_image(block.get("source"), f"{where}[{n}]"))
        elif kind == "text":
            parts.append({"type": "text", "text": _text(block, f"{where}[{n}]")})
        else:
            raise invalid(
                f"{where}[{n}]: text, image and tool_result are taken, not {kind!r}", where, "unsupported_content"
            )
    if parts or not out:
        text, others = joined(parts)
        out.append(Message("user", text, others))
    return out


def _image(source: Any, where: str) -> dict[str, Any]:
    source = source if isinstance(source, dict) else {}
    if source.get("type") == "base64":
        return image_part(f"data:{source.get('media_type')};base64,{source.get('data')}", where)
    return image_part(source.get("url"), where)


def _result(block: dict[str, Any], where: str) -> Message:
    answers, content = block.get("tool_use_id"), block.get("content")
    if not isinstance(answers, str) or not answers:
        raise invalid(f"{where}.tool_use_id must name the call that is answered", f"{where}.tool_use_id")
    content = [] if content is None else [{"type": "text", "text": content}] if isinstance(content, str) else content
    if not isinstance(content, list) or any(not isinstance(b, dict) for b in content):
        raise invalid(f"{where}.content must be a string or a list of text blocks", where)
    text = "\n".join(_text(b, f"{where}.content") for b in content)
    # The chat form has no place for it, and a model should know.
    return Message("tool", f"error: {text}" if block.get("is_error") is True else text, (), (), answers)


def _assistant(blocks: list[dict[str, Any]], where: str) -> Message:
    texts, calls = [], []
    for n, block in enumerate(blocks):
        kind = block.get("type")
        if kind == "tool_use":
            calls.append(_call(block, f"{where}[{n}]"))
        elif kind == "text":
            texts.append(_text(block, f"{where}[{n}]"))
        elif kind not in _SKIPPED:
            raise invalid(f"{where}[{n}]: text and tool_use are taken, not {kind!r}", where, "unsupported_content")
    return Message("assistant", "\n".join(texts), (), tuple(calls))


def _call(block: dict[str, Any], where: str) -> dict[str, Any]:
    id_, name, given = block.get("id"), block.get("name"), block.get("input")
    if not isinstance(id_, str) or not isinstance(name, str) or not isinstance(given, dict):
        raise invalid(f"{where} needs an id, a name and an input", where)
    try:
        arguments = json.dumps(given, ensure_ascii=False)
    except RecursionError as error:
        raise invalid(f"{where}.input is nested too deep", where) from error
    return {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}


def options_from(body: dict[str, Any]) -> dict[str, Any]:
    """Parameters in OpenAI's chat form. Raises: Problem if there is no such form of them."""
    options: dict[str, Any] = {}
    tools = body.get("tools")
    if tools is not None:
        if not isinstance(tools, list):
            raise invalid("'tools' must be a list", "tools")
        options["tools"] = [_tool(tool, f"tools[{i}]") for i, tool in enumerate(tools)]
    options |= _choice(part(body, "tool_choice"))
    if not options.get("tools"):
        options = {}
    wanted = part(body, "output_config").get("format") or body.get("output_format")
    if wanted is not None:
        if not isinstance(wanted, dict) or wanted.get("type") != "json_schema":
            raise invalid("the format of the output must be a json_schema", "output_config")
        inner = {"name": "output", "schema": wanted.get("schema"), "strict": True}
        options["response_format"] = {"type": "json_schema", "json_schema": inner}
    return options


def _tool(tool: Any, where: str) -> dict[str, Any]:
    if not isinstance(tool, dict) or tool.get("type") not in (None, "custom"):
        raise invalid(f"{where}: tools of the caller's own are taken", where, "unsupported_parameter")
    function = {"name": tool.get("name"), "parameters": tool.get("input_schema")}
    if isinstance(tool.get("description"), str):
        function["description"] = tool["description"]
    if not isinstance(function["parameters"], dict):
        raise invalid(f"{where} needs an input_schema", where)
    return {"type": "function", "function": function}


def _choice(choice: dict[str, Any]) -> dict[str, Any]:
    if not choice:
        return {}
    kind = choice.get("type")
    alone: dict[str, Any] = {"parallel_tool_calls": False} if flag(choice, "disable_parallel_tool_use") else {}
    if kind == "tool" and isinstance(choice.get("name"), str):
        return alone | {"tool_choice": {"type": "function", "function": {"name": choice["name"]}}}
    if kind not in ("auto", "any", "none"):
        raise invalid("'tool_choice' must be auto, any, none or name a tool", "tool_choice")
    return alone | {"tool_choice": "required" if kind == "any" else kind}


_KINDS = {
    400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error",
    405: "invalid_request_error", 409: "invalid_request_error", 413: "request_too_large",
    422: "invalid_request_error", 429: "rate_limit_error", 503: "overloaded_error", 504: "timeout_error",
}  # fmt: skip


def error_of(problem: Problem) -> dict[str, Any]:
    """Anthropic's error object."""
    kind = _KINDS.get(problem.status, "api_error")
    return {"type": "error", "error": {"type": kind, "message": problem.message}}
