"""What is kept of a call, written and settled before the caller is told that it is done."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from luodi.errors import LuodiError
from luodi.gateway.call import Call, Next, Outcome, Piece, Reply
from luodi.gateway.ledger import Settlement
from luodi.gateway.problem import Problem
from luodi.store.audit import LogRow
from luodi.store.database import now_ms
from luodi.store.tx import tx_of

if TYPE_CHECKING:
    from luodi.gateway.core import Gateway

_log = logging.getLogger("luodi.gateway")


class Record:
    """One row a call in the log, whatever becomes of it, in the transaction that settles its budget.

    The row holds no question and no answer, only a commitment to them; they lie beside it, sealed, and can be erased.
    """

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._writer = gateway.writer
        self._slots = gateway.worker.slots
        self._worker = gateway.worker.id
        self._keep = gateway.options.keep_content

    async def __call__(self, call: Call, following: Next) -> Reply:
        try:
            reply = await following(call)
        except asyncio.CancelledError:
            _end(call, Outcome(finish="cancelled"))
            self._leave(call, Outcome(finish="cancelled"))
            raise
        except Exception as error:
            outcome = Outcome(finish="error", error=_told(error), status=_status(error))
            _end(call, outcome)
            await self._write(call, outcome, [])
            raise
        watched = self._watch(call, reply)
        await anext(watched)  # started, so that closing it writes the row even if nobody ever asks for a piece
        return Reply(watched, reply.outcome)

    async def _watch(self, call: Call, reply: Reply) -> AsyncGenerator[Piece, None]:
        outcome, hold, said = reply.outcome, call.hold, []
        ended = False
        try:
            async with aclosing(reply.pieces) as pieces:
                yield _START
                async for piece in pieces:
                    if hold is not None:  # before it is handed on: a kill must not forget what was delivered
                        self._slots.progress(hold.slot, now_ms(), outcome.prompt_tokens, outcome.completion_tokens)
                    if piece.text:
                        said.append(piece.text)
                    yield piece
            ended = True
        except Exception as error:
            outcome.finish, outcome.error, outcome.status = "error", _told(error), _status(error)
            ended = True
            _end(call, outcome)
            await self._write(call, outcome, said)
            raise
        finally:
            if not ended:  # the caller is gone: nobody waits for the row, but it is written all the same
                outcome.finish = "cancelled"
                _end(call, outcome)
                self._leave(call, outcome, said)
        _end(call, outcome)
        await self._write(call, outcome, said)

    async def _write(self, call: Call, outcome: Outcome, said: list[str]) -> None:
        """Raises: Problem if it can't be written."""
        settlement = self._settlement(call, outcome, said)
        future = self._writer.put("settle", settlement)
        future.add_done_callback(lambda done: self._settled(call, settlement, done))
        try:
            await asyncio.shield(future)
        except LuodiError as error:
            raise Problem(
                503, "overloaded_error", "this call could not be recorded, so it is not answered", code="not_recorded"
            ) from error

    def _leave(self, call: Call, outcome: Outcome, said: list[str] | None = None) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closing
            settlement = self._settlement(call, outcome, said or [])
            future = self._writer.put("settle", settlement)
            future.add_done_callback(lambda done: self._settled(call, settlement, done))

    def _settled(self, call: Call, settlement: Settlement, done: asyncio.Future[Any]) -> None:
        if done.cancelled() or done.exception() is not None:
            # The slot stays taken until then; should the gateway be killed first, the call is settled from it.
            _log.error("a record could not be written: %s", done.exception() if not done.cancelled() else "cancelled")
            self._gateway.unsettled.append((call, settlement))
            return
        if call.hold is not None:
            self._slots.release(call.hold.slot)
            call.hold = None

    async def again(self) -> None:
        """Write what could not be written before, in order, until one fails."""
        waiting = self._gateway.unsettled
        while waiting:
            call, settlement = waiting.popleft()
            try:
                if not await asyncio.to_thread(self._known, call.id):
                    await self._writer.put("settle", settlement)
            except LuodiError:
                waiting.appendleft((call, settlement))
                return
            if call.hold is not None:
                self._slots.release(call.hold.slot)
                call.hold = None

    def _known(self, record: str) -> bool:
        with self._gateway.store.database.begin() as connection:
            return bool(tx_of(connection).all("SELECT 1 FROM log WHERE id=?", (record,)))

    def _settlement(self, call: Call, outcome: Outcome, said: list[str]) -> Settlement:
        hold, who = call.hold, call.principal
        key_id = who.key_id if who else ""
        cost = outcome.cost_nano_usd or 0
        now = now_ms()
        subject = call.served.release if call.served else ""
        result = outcome.kind or outcome.finish
        body = _body(call, outcome)
        payload = None
        if self._keep and call.principal is not None:
            content = {"messages": [[m.role, m.content] for m in call.messages], "answer": "".join(said)}
            if call.texts:
                content["texts"] = list(call.texts)
            commitment, sealed = self._gateway.sealer.seal(call.id, content)
            body["content"] = commitment
            payload = (call.subject, sealed)
        row = LogRow(call.id, now, "tool" if call.task == "tool" else "call", key_id, subject, result, cost, body)
        tokens = outcome.prompt_tokens + outcome.completion_tokens
        return Settlement(
            self._worker, hold.scopes if hold else (), hold.held if hold else (), hold.nano_usd if hold else 0,
            hold.tokens if hold else 0, tokens, cost, now, row, payload,
        )  # fmt: skip


_START = Piece()


def _end(call: Call, outcome: Outcome) -> None:
    while call.ending:
        call.ending.pop()(outcome)


def _body(call: Call, o: Outcome) -> dict[str, Any]:
    served, who = call.served, call.principal
    return {
        "owner": who.owner if who else "",
        "team": who.team if who else "",
        "surface": call.surface,
        "task": call.task,
        "model": call.model,
        "release": served.release if served else "",
        "release_digest": served.digest if served else "",
        "policy_digest": served.policy_digest if served else "",
        "finish": o.finish,
        "prompt_tokens": o.prompt_tokens,
        "completion_tokens": o.completion_tokens,
        "estimated": o.estimated,
        "price_known": o.cost_nano_usd is not None or not (o.prompt_tokens or o.completion_tokens) or bool(o.cached),
        "cached": o.cached,
        "route": _whole(o.route),
        "experiment": call.experiment,
        "behaviour": _whole(call.behaviour),
        "verdicts": [
            {"check": v.check, "version": v.version, "ran": v.ran, "score_micro": round(v.score * 1e6),
             "threshold_micro": round(v.threshold * 1e6), "category": v.category, "action": v.action,
             "detail": v.detail}
            for v in o.verdicts
        ],
        "checks_not_run": [v.check for v in o.verdicts if not v.ran],
        "sources": [
            {
                "number": c.number, "row_id": c.row_id, "source": c.source, "path": c.path, "line": c.line,
                "start": c.start, "end": c.end,
            }
            for c in o.citations
        ],
        "grounding": [{**c, "coverage": round(c["coverage"] * 1e6)} for c in o.checks],
        "sentences_dropped": o.dropped,
        "conflicts": len(o.conflicts),
        "confidence": None if o.confidence is None else round(o.confidence * 1e6),
        "watermark": o.label.get("watermark", {}),
        "first_us": round(o.first_ms * 1000),
        "duration_us": round((time.monotonic() - call.started) * 1e6),
        "error": o.error[:1000],
    }  # fmt: skip


def _whole(value: Any) -> Any:
    """The same with millionths for fractions: the log holds whole numbers only."""
    if isinstance(value, float):
        return round(value * 1e6)
    if isinstance(value, dict):
        return {k: _whole(v) for k, v in value.items()}
    return [_whole(v) for v in value] if isinstance(value, (list, tuple)) else value


def _status(error: Exception) -> int:
    return error.status if isinstance(error, Problem) else 500


def _told(error: Exception) -> str:
    return error.message if isinstance(error, LuodiError) else f"{type(error).__name__}: {error}"
