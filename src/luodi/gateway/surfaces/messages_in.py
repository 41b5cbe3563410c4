"""Messages in OpenAI's chat form: checked, and made into the internal form."""

from __future__ import annotations

from typing import Any

from luodi.engine import Message
from luodi.gateway.problem import has_half, invalid

_ROLES = ("system", "developer", "user", "assistant", "tool")
_MOST = 2048  # messages of a conversation


def messages_of(value: Any) -> tuple[Message, ...]:
    """Raises: Problem naming the message and what was expected."""
    if not isinstance(value, list) or not value:
        raise invalid("'messages' must be a list with at least one message", "messages")
    if len(value) > _MOST:
        raise invalid(f"'messages' has more than {_MOST} messages", "messages")
    return tuple(_message(item, f"messages[{i}]") for i, item in enumerate(value))


def _message(item: Any, where: str) -> Message:
    if not isinstance(item, dict) or item.get("role") not in _ROLES:
        raise invalid(f"{where} needs a 'role' out of {', '.join(_ROLES)}", f"{where}.role")
    role: Any = "system" if item["role"] == "developer" else item["role"]
    content = item.get("content")
    parts: tuple[dict[str, Any], ...] = ()
    calls = _tool_calls(item.get("tool_calls"), where) if role == "assistant" else ()
    if isinstance(content, list):
        content, parts = _parts(content, where)
    elif content is None and calls:
        content = ""
    if not isinstance(content, str):
        raise invalid(f"{where}.content must be a string", f"{where}.content")
    if has_half(content):
        raise invalid(f"{where}.content holds half of a surrogate pair", f"{where}.content")
    answers = item.get("tool_call_id") or ""
    if not isinstance(answers, str) or (role == "tool" and not answers):
        raise invalid(f"{where}.tool_call_id must name the call that is answered", f"{where}.tool_call_id")
    return Message(role, content, parts, calls, answers)


def _parts(content: list[Any], where: str) -> tuple[str, tuple[dict[str, Any], ...]]:
    """The text of all parts, and the parts if there are others than text."""
    parts: list[dict[str, Any]] = []
    for n, part in enumerate(content):
        kind = part.get("type") if isinstance(part, dict) else None
        if kind in ("text", "refusal") and isinstance(part.get(kind), str):
            parts.append({"type": "text", "text": part[kind]})
        elif kind == "image_url":
            image = part.get("image_url")
            image = image if isinstance(image, dict) else {}
            parts.append(image_part(image.get("url"), f"{where}.content[{n}]", image.get("detail")))
        else:
            raise invalid(
                f"{where}.content[{n}]: text and image_url are taken, not {kind!r}", f"{where}.content",
                "unsupported_content",
            )  # fmt: skip
    return joined(parts)


def image_part(url: Any, where: str, detail: Any = None) -> dict[str, Any]:
    """An image in OpenAI's chat form. Raises: Problem if it is neither in the request nor at an address."""
    if not isinstance(url, str) or not url.startswith(("data:image/", "https://")):
        raise invalid(f"{where}: an image must be at data:image/… or https://…", where)
    return {"type": "image_url", "image_url": {"url": url} | ({"detail": detail} if isinstance(detail, str) else {})}


def joined(parts: list[dict[str, Any]]) -> tuple[str, tuple[dict[str, Any], ...]]:
    """The text of all parts, and the parts if there are others than text."""
    texts = [p["text"] for p in parts if p["type"] == "text"]
    return "\n".join(texts), tuple(parts) if len(texts) < len(parts) else ()


def _tool_calls(value: Any, where: str) -> tuple[dict[str, Any], ...]:
    if value is None:
        return ()
    good = isinstance(value, list) and all(
        isinstance(c, dict) and isinstance(c.get("id"), str) and isinstance(c.get("function"), dict)
        and isinstance(c["function"].get("name"), str) and isinstance(c["function"].get("arguments"), str)
        for c in value
    )  # fmt: skip
    if not good:
        raise invalid(f"{where}.tool_calls must be a list of calls with id, name and arguments", f"{where}.tool_calls")
    return tuple(
        {"id": c["id"], "type": "function",
         "function": {"name": c["function"]["name"], "arguments": c["function"]["arguments"]}}
        for c in value
    )  # fmt: skip
