"""What is answered without a model: the list of models, a count of tokens. Nothing of it is kept or charged."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Any

from luodi.gateway.core import Gateway
from luodi.gateway.problem import Problem, invalid
from luodi.gateway.surfaces.anthropic_in import messages_from, options_from
from luodi.gateway.surfaces.checks import check_fields, model_of, object_of, passed_options
from luodi.gateway.upstream import EngineUpstream
from luodi.gateway.upstream.base import bytes_bound

_STARTED = int(time.time())
_COUNTED = {
    "model", "messages", "system", "tools", "tool_choice", "thinking", "cache_control", "output_config",
    "output_format", "mcp_servers", "context_management",
}  # fmt: skip


def models(gateway: Gateway, wanted: str = "") -> dict[str, Any]:
    """One model or all, with the fields of OpenAI's and of Anthropic's lists. Raises: Problem if there is none."""
    created = datetime.fromtimestamp(_STARTED, UTC).isoformat().replace("+00:00", "Z")
    found = [
        {"id": name, "object": "model", "created": _STARTED, "owned_by": "luodi", "type": "model",
         "display_name": name, "created_at": created}
        for name in gateway.names()
    ]  # fmt: skip
    if not wanted:
        return {"object": "list", "data": found, "has_more": False, "first_id": found[0]["id"],
                "last_id": found[-1]["id"]}  # fmt: skip
    one = next((m for m in found if m["id"] == wanted), None)
    if one is None:
        raise Problem(404, "not_found_error", f"there is no model {wanted!r}", param="model", code="model_not_found")
    return one


async def count_tokens(gateway: Gateway, body: Any) -> dict[str, Any]:
    """Anthropic's count of a message's tokens: the engine's own, with what its turns take, where it runs here.

    A server's tokenizer is not at hand: then a token is taken to be four bytes, and `luodi.estimated` says so.

    Raises:
        Problem: it is no message that could be sent.
    """
    body = object_of(body)
    check_fields(body, _COUNTED, {})
    model = model_of(gateway, body)
    task = gateway.names()[model]
    options = passed_options(options_from(body), task)
    messages = messages_from(body)
    if not messages:
        raise invalid("'messages' must be a list with at least one message", "messages")
    served = gateway.served
    upstream = (served.pool if task == "answer" else served.pools[model]).upstreams[0]
    tools = len(str(options["tools"]).encode()) // 4 if options.get("tools") else 0
    own = isinstance(upstream, EngineUpstream)
    if own:
        tokens = await asyncio.to_thread(upstream.bound, messages)
    else:
        tokens = bytes_bound(messages) // 4 + 1
    return {"input_tokens": tokens + tools, "luodi": {"estimated": not own or tools > 0}}
