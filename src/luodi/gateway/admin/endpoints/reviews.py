"""Calls that wait for a person."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import Field

from luodi.gateway.admin.asked import Asked, Body, Said
from luodi.gateway.admin.reviews import LONGEST_NOTE, Reviews
from luodi.gateway.problem import invalid

_CURSOR = re.compile(r"(\d{1,15})\.(\w{1,40})", re.A)


class Decide(Body):
    decision: Literal["upheld", "overturned"]
    note: str = Field("", max_length=LONGEST_NOTE)


class Appeal(Body):
    note: str = Field("", max_length=LONGEST_NOTE)


def _reviews(asked: Asked) -> Reviews:
    options = asked.gateway.options
    return Reviews(asked.store, keep_notes=options.keep_content, redis=options.redis)


def ls(asked: Asked) -> dict[str, Any]:
    asked.only("state", "cursor", "limit")
    text, limit, state = asked.query.get("cursor", ""), asked.limit(), asked.query.get("state", "waiting")
    if state not in ("waiting", "decided"):
        raise invalid(f"state must be waiting or decided, not {state[:40]!r}", "state")
    after = None
    if text:
        match = _CURSOR.fullmatch(text)
        if match is None:
            raise invalid("this is no cursor of a page of reviews", "cursor")
        after = (int(match[1]), match[2])
    found = _reviews(asked).page(state, limit=limit + 1, after=after)
    last = found[limit - 1] if len(found) > limit else None
    return {"data": found[:limit], "cursor": f"{last['time_ms']}.{last['record']}" if last else None}


def show(asked: Asked) -> dict[str, Any]:
    return _reviews(asked).show(asked.row["id"], actor=asked.who.actor)


def decide(asked: Asked) -> dict[str, Any]:
    body: Decide = asked.body
    own = [asked.who.key_id] if asked.who.key_id else []
    return _reviews(asked).decide(asked.row["id"], body.decision, body.note, actor=asked.who.actor, own_keys=own)


def ask(asked: Asked) -> Said:
    return Said(_reviews(asked).ask(asked.row["id"], asked.body.note, actor=asked.who.actor), 201)
