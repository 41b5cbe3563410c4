"""The exact cache: the same question, asked of the same release in the same way, is answered once."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError as RowExists

from luodi.errors import StoreError
from luodi.gateway.call import Call, Next, Outcome, Reply
from luodi.guard import Verdict
from luodi.knowledge import Citation
from luodi.store import digest_json
from luodi.store.database import now_ms
from luodi.store.migrations import reply_cache

if TYPE_CHECKING:
    from luodi.gateway.core import Gateway

_log = logging.getLogger("luodi.gateway")


class Cache:
    """Answers that were whole and greedy are kept; the guard's checks run before and after, cached or not."""

    def __init__(self, gateway: Gateway) -> None:
        self._database = gateway.store.database
        self._release = gateway.served.release

    async def __call__(self, call: Call, following: Next) -> Reply:
        if call.sampling.temperature > 0:
            return await following(call)
        key = digest_json([self._release, call.question, call.language, asdict(call.sampling)])
        kept = await asyncio.to_thread(self._get, key)
        if kept is not None:
            return _replay(kept)
        reply = await following(call)
        return Reply(self._keep(key, reply, list(reply.outcome.verdicts)), reply.outcome)

    def _get(self, key: str) -> dict[str, Any] | None:
        with self._database.begin() as connection:
            row = connection.execute(select(reply_cache.c.reply).where(reply_cache.c.key == key)).one_or_none()
        return json.loads(row[0]) if row else None

    def _put(self, key: str, reply: dict[str, Any]) -> None:
        row = {
            "key": key,
            "release": self._release,
            "time_ms": now_ms(),
            "reply": json.dumps(reply, ensure_ascii=False),
        }
        try:
            with self._database.begin() as connection:
                connection.execute(insert(reply_cache).values(**row))
        except RowExists:
            return  # another call for the same question was quicker

    async def _keep(self, key: str, reply: Reply, verdicts: list[Verdict]) -> AsyncGenerator[str, None]:
        parts: list[str] = []
        async with aclosing(reply.text) as pieces:
            async for piece in pieces:
                parts.append(piece)
                yield piece
        o = reply.outcome
        if o.finish in ("stop", "length") and o.kind != "refused":
            kept = {
                "text": "".join(parts),
                "kind": o.kind,
                "finish": o.finish,
                "citations": [c.as_dict() for c in o.citations],
                "nearest": [c.as_dict() for c in o.nearest],
                "checks": o.checks,
                "dropped": o.dropped,
                "verdicts": [asdict(v) for v in verdicts],  # of the steps below; the guard judges a kept answer anew
                "prompt_tokens": o.prompt_tokens,
                "completion_tokens": o.completion_tokens,
            }
            try:
                await asyncio.to_thread(self._put, key, kept)
            except StoreError as error:  # an answer is not lost because it can't be kept for next time
                _log.warning("the cache could not be written: %s", error.message)


def _replay(kept: dict[str, Any]) -> Reply:
    outcome = Outcome(
        kind=kept["kind"],
        finish=kept["finish"],
        citations=tuple(Citation(**c) for c in kept["citations"]),
        nearest=tuple(Citation(**c) for c in kept["nearest"]),
        checks=kept["checks"],
        dropped=kept["dropped"],
        verdicts=[Verdict(**v) for v in kept["verdicts"]],
        prompt_tokens=kept["prompt_tokens"],
        completion_tokens=kept["completion_tokens"],
        cached=True,
    )

    async def text() -> AsyncGenerator[str, None]:
        yield kept["text"]

    return Reply(text(), outcome)
