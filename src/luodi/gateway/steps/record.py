"""What is kept of a call, written before the caller is told that it is done."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from luodi.errors import LuodiError
from luodi.gateway.call import Call, Next, Outcome, Reply
from luodi.gateway.problem import Problem
from luodi.store.database import now_ms

if TYPE_CHECKING:
    from luodi.gateway.core import Gateway

_log = logging.getLogger("luodi.gateway")


class Record:
    """One row a call, whatever becomes of it. Questions and answers are not in it, only what was done with them."""

    def __init__(self, gateway: Gateway) -> None:
        self._recorder = gateway.recorder
        self._served = gateway.served

    async def __call__(self, call: Call, following: Next) -> Reply:
        try:
            reply = await following(call)
        except asyncio.CancelledError:
            self._recorder.put(self._row(call, Outcome(finish="cancelled")))
            raise
        except Exception as error:
            await self._write(call, Outcome(finish="error", error=_told(error)))
            raise
        watched = self._watch(call, reply)
        await anext(watched)  # started, so that closing it writes the row even if nobody ever asks for text
        return Reply(watched, reply.outcome)

    async def _watch(self, call: Call, reply: Reply) -> AsyncGenerator[str, None]:
        ended = False
        try:
            async with aclosing(reply.text) as pieces:
                yield ""
                async for piece in pieces:
                    yield piece
            ended = True
        except Exception as error:
            reply.outcome.finish, reply.outcome.error = "error", _told(error)
            ended = True
            await self._write(call, reply.outcome)
            raise
        finally:
            if not ended:  # the caller is gone: nobody waits for the row, but it is written all the same
                reply.outcome.finish = "cancelled"
                self._recorder.put(self._row(call, reply.outcome))
        await self._write(call, reply.outcome)

    async def _write(self, call: Call, outcome: Outcome) -> None:
        try:
            await asyncio.wrap_future(self._recorder.put(self._row(call, outcome)))
        except Exception as error:
            _log.error("a record could not be written: %s", error)
            raise Problem(
                503, "overloaded_error", "this call could not be recorded, so it is not answered", code="not_recorded"
            ) from error

    def _row(self, call: Call, outcome: Outcome) -> dict[str, Any]:
        seconds = time.monotonic() - call.started
        # A call is charged the whole machine for as long as it took: an upper bound, exact when calls come one by one.
        cost = (
            0
            if outcome.cached or not outcome.completion_tokens
            else seconds * self._served.options["machine_usd_hour"] / 3600
        )
        return {
            "id": call.id,
            "time_ms": now_ms(),
            "key_id": call.principal.key_id if call.principal else "",
            "release": self._served.release,
            "surface": call.surface,
            "outcome": outcome.kind or outcome.finish,
            "prompt_tokens": outcome.prompt_tokens,
            "completion_tokens": outcome.completion_tokens,
            "cost_nano_usd": round(cost * 1e9),
            "duration_ms": round(seconds * 1000),
            "data": {
                "finish": outcome.finish,
                "cached": outcome.cached,
                "verdicts": [asdict(v) for v in outcome.verdicts],
                "sources": [{k: v for k, v in c.as_dict().items() if k != "quote"} for c in outcome.citations],
                "checks": outcome.checks,
                "sentences_dropped": outcome.dropped,
                "first_ms": round(outcome.first_ms, 1),
                "error": outcome.error,
            },
        }


def _told(error: Exception) -> str:
    return error.message if isinstance(error, LuodiError) else f"{type(error).__name__}: {error}"
