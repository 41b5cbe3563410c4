"""One JSON value for one answer. See docs/en/admin.md for what each part means."""

from __future__ import annotations

from typing import Any

from luodi.errors import StoreError
from luodi.gateway.admin.browse import call_of
from luodi.gateway.admin.contents import GONE, open_content, read_content
from luodi.gateway.admin.reviews import Reviews
from luodi.gateway.why.confidence import of_record
from luodi.gateway.why.passages import passages
from luodi.gateway.why.training import nearest
from luodi.store import Store
from luodi.store.audit.checkpoint import newest
from luodi.store.audit.reading import snapshot

_NOT_SHOWN = "the content of this call is not shown to who asks"
_LET_GO = "the record's body was let go by retention"
_MILLIONTHS = ("gain", "similarity")  # of a route; the log holds whole numbers only


def explain(store: Store, record: str, *, content: bool, actor: str) -> dict[str, Any]:
    """Why an answer is what it is.

    Args:
        content: whether question and answer are shown.
        actor: who reads them, for the log; "" for whose call it is.

    Raises:
        StoreError: there is no such call.
    """
    row = call_of(store, record)
    if row is None:
        raise StoreError(f"there is no record {record!r}", "every answer names its record")
    question, answer, reason = _content(store, record, content=content, actor=actor)
    body = row["body"]
    told: dict[str, Any] = {
        "record": record, "time_ms": row["time_ms"], "outcome": row["outcome"], "question": question,
        "answer": answer, "reason": reason,
    }  # fmt: skip
    review = Reviews(store).get(record)
    audit = _audit(store, row)
    if body is None:
        return told | {"recorded": None, "recorded_reason": _LET_GO, "audit": audit, "review": _review(review)}
    return told | {
        "task": body["task"], "model": body["model"], "finish": body["finish"], "error": body["error"],
        "route": _route(body, row), "origin": _origin(body),
        "sources": passages(store, body["release_digest"], body["sources"]),
        "checks": {"sentences": _sentences(body), "dropped": body["sentences_dropped"]},
        "rules": {
            "fired": [v["check"] for v in body["verdicts"] if v["ran"] and v["action"] != "allow"],
            "not_run": body["checks_not_run"], "verdicts": _verdicts(body),
        },
        "confidence": of_record(row["outcome"], body).as_dict(),
        "release": {
            "name": body["release"], "digest": body["release_digest"], "policy_digest": body["policy_digest"],
        },
        "experiment": body["experiment"] or None, "review": _review(review), "audit": audit,
        "training": nearest(store, body["release_digest"], answer or None, reason or ""),
    }  # fmt: skip


def _content(store: Store, record: str, *, content: bool, actor: str) -> tuple[str | None, str | None, str | None]:
    """(question, answer, why they are not there)."""
    if not content:
        return None, None, _NOT_SHOWN
    found = read_content(store, record, actor=actor, purpose="why") if actor else open_content(store, record)
    if found is None:
        return None, None, GONE
    asked = [text for role, text in found["messages"] if role == "user"]
    return (asked[-1] if asked else None), str(found["answer"]), None


def _route(body: dict[str, Any], row: dict[str, Any]) -> dict[str, Any]:
    route = {k: v for k, v in body["route"].items() if k != "record"}
    told: dict[str, Any] = {}
    for name, value in route.items():
        if name.endswith("_nano_usd"):
            told[name.replace("_nano_usd", "_usd")] = value / 1e9
        else:
            told[name] = value / 1e6 if name in _MILLIONTHS else value
    return told | {
        "cost_usd": row["cost_nano_usd"] / 1e9, "price_known": body["price_known"],
        "prompt_tokens": body["prompt_tokens"], "completion_tokens": body["completion_tokens"],
    }  # fmt: skip


def _origin(body: dict[str, Any]) -> dict[str, Any] | None:
    """Of an answer that was given before, or to another call at the same time: how, and by which record."""
    return {"how": body["cached"], "record": body["route"].get("record")} if body["cached"] else None


def _sentences(body: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"checks": c["checks"], "coverage": c["coverage"] / 1e6, "passage": c["passage"]} for c in body["grounding"]
    ]


def _verdicts(body: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {k: v for k, v in verdict.items() if not k.endswith("_micro")}
        | {k.removesuffix("_micro"): v / 1e6 for k, v in verdict.items() if k.endswith("_micro")}
        for verdict in body["verdicts"]
    ]


def _review(found: dict[str, Any] | None) -> dict[str, Any] | None:
    return {k: found[k] for k in ("state", "reason", "decision", "time_ms", "decided_ms")} if found else None


def _audit(store: Store, row: dict[str, Any]) -> dict[str, Any]:
    """Where the record stands in the log, and the newest checkpoint if that covers it."""
    with snapshot(store.database) as tx:
        last = newest(tx)
    covered = last is not None and last[0] > row["seq"]
    return {
        "seq": row["seq"], "leaf": row["leaf"],
        "checkpoint": {"size": last[0], "note": last[1], "anchors": last[2]} if last and covered else None,
        "proof": f"/v1/records/{row['id']}/proof" if covered and row["body"] is not None else None,
    }  # fmt: skip
