"""Records of calls, without content; and why an answer is what it is."""

from __future__ import annotations

from typing import Any

from luodi.errors import StoreError
from luodi.gateway.admin.asked import Asked
from luodi.gateway.admin.browse import page_of
from luodi.gateway.admin.contents import has_content
from luodi.gateway.admin.reviews import Reviews
from luodi.gateway.problem import Problem, invalid
from luodi.gateway.why import explain
from luodi.store.audit import prove


def ls(asked: Asked) -> dict[str, Any]:
    asked.only("cursor", "limit", "kind", "outcome", "release", "key", "from_ms", "to_ms")
    kind = asked.query.get("kind", "call")
    if kind not in ("call", "tool"):
        raise invalid(f"kind must be call or tool, not {kind[:40]!r}", "kind")
    equal = {"kind": kind, "outcome": asked.query.get("outcome", ""), "actor": asked.query.get("key", "")}
    found, cursor = page_of(
        asked.store, equal, before=asked.number("cursor", -1, 0), limit=asked.limit(),
        release=asked.query.get("release", ""), from_ms=asked.number("from_ms", 0, 0),
        to_ms=asked.number("to_ms", 1 << 62, 0),
    )  # fmt: skip
    return {"data": [_short(row) for row in found], "cursor": cursor}


_SHORT = (
    "owner", "team", "surface", "task", "model", "finish", "prompt_tokens", "completion_tokens", "cached",
    "checks_not_run", "duration_us", "error",
)  # fmt: skip


def _short(row: dict[str, Any]) -> dict[str, Any]:
    body = row["body"] or {}
    return _columns(row) | {name: body.get(name) for name in _SHORT}


def _columns(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"], "seq": row["seq"], "time_ms": row["time_ms"], "key_id": row["actor"],
        "release": row["subject"], "outcome": row["outcome"], "cost_nano_usd": row["cost_nano_usd"],
    }  # fmt: skip


def one(asked: Asked) -> dict[str, Any]:
    row = asked.row
    review = Reviews(asked.store).get(row["id"])
    return _columns(row) | {
        "record": row["body"], "content_kept": has_content(asked.store, row["id"]),
        "review": {k: review[k] for k in ("state", "reason", "decision", "time_ms", "decided_ms")} if review else None,
    }  # fmt: skip


def why(asked: Asked) -> dict[str, Any]:
    return explain(asked.store, asked.row["id"], content=asked.content, actor="" if asked.own else asked.who.actor)


def proof(asked: Asked) -> dict[str, Any]:
    try:
        return prove(asked.store, asked.row["id"])
    except StoreError as error:
        raise Problem(409, "invalid_request_error", error.message, code="no_proof_yet") from error
