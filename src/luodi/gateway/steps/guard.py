"""The guard at both doors."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from luodi.engine import Message
from luodi.gateway.admin.reviews import Queued
from luodi.gateway.call import Call, Next, Outcome, Piece, Reply
from luodi.gateway.experiment.shadow import seen
from luodi.guard import EDITS, STOPS, About, Guard, GuardResult, OutputWatch, Verdict
from luodi.guard.privacy import Privacy

if TYPE_CHECKING:
    from luodi.gateway.core import Gateway
    from luodi.guard import HoldBack

CONFIRMED = "x-luodi-confirmed"  # header: the user has confirmed what is asked for
_REMEMBERED = 2048  # results of earlier turns, which come again with every turn of a conversation


class GuardStep:
    """Refuses attacks and masks personal data on the way in; on the way out holds text back until it is checked.

    What the policy wants a person to see waits in the queue of reviews; what it wants to be told of becomes an event.
    """

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._seen: dict[tuple[str, str, str], GuardResult] = {}

    async def __call__(self, call: Call, following: Next) -> Reply:
        guard = call.release.guard
        verdicts: list[Verdict] = []
        if guard.pseudonyms or "disclosure" in guard.policy.output:
            call.vault = await self._gateway.pseudonyms.open(call)
        if guard.slow:
            blocked = await asyncio.to_thread(self._judge_call, call, guard, verdicts)
        else:
            blocked = self._judge_call(call, guard, verdicts)
        if call.vault is not None:
            self._gateway.pseudonyms.keep(call)
            if len(call.vault):
                call.caching = "no-store"  # nobody else is given an answer with this caller's placeholders
        call.ending.append(partial(self._ended, call, verdicts))
        if blocked is not None:
            outcome = Outcome(kind="refused", finish="content_filter", verdicts=verdicts)
            return Reply(_refuse(guard.refusal(blocked, call.language)), outcome)
        reply = await following(call)
        reply.outcome.verdicts = [*verdicts, *reply.outcome.verdicts]
        return Reply(_out(reply, guard, call), reply.outcome)

    def _ended(self, call: Call, mine: list[Verdict], outcome: Outcome) -> None:
        # an answer that was kept brings the verdicts of the call that made it, of which was told then
        verdicts = mine if outcome.cached else outcome.verdicts
        writer = self._gateway.writer
        for verdict in verdicts:
            if verdict.action == "human" and call.surface != "shadow":
                about = {
                    "check": verdict.check,
                    "category": verdict.category,
                    "score_micro": round(verdict.score * 1e6),
                }
                writer.put("review", Queued(call.id, "guard", about)).add_done_callback(seen)
            elif verdict.action == "alert" and call.surface != "shadow":
                about = {"record": call.id, "check": verdict.check, "category": verdict.category}
                writer.put("alert", about).add_done_callback(seen)

    def _judge_call(self, call: Call, guard: Guard, verdicts: list[Verdict]) -> GuardResult | None:
        return self._judge_texts(call, guard, verdicts) or self._judge_messages(call, guard, verdicts)

    def _judge_messages(self, call: Call, guard: Guard, verdicts: list[Verdict]) -> GuardResult | None:
        """The result that stops the call, if one does. Of earlier turns verdicts are kept that edit or stop.

        An answer reads the question only; a chat sends its whole history to the model, so all of it is judged.
        What a tool is given is judged and not masked: an order is found by its number.
        What tools brought is untrusted text; what the assistant and the caller's own system said is masked only.
        """
        messages = list(call.messages)
        last = len(messages) - 1
        one = call.task in ("answer", "search", "tool")
        places = range(last + 1) if call.task == "chat" else range(last, last + 1) if one else ()
        changed = False
        about = about_call(call)
        for place in places:
            m = messages[place]
            if not m.content:
                continue
            if place == last:
                result = _judge(guard, m, about)
                verdicts += result.verdicts
            else:
                result = self._earlier(guard, m, about)
                verdicts += [v for v in result.verdicts if v.action in EDITS or v.action in STOPS]
            if result.stops:
                return result
            if result.text == m.content:
                continue
            call.personal = call.personal or any(v.check == "personal" and v.action in EDITS for v in result.verdicts)
            if call.task != "tool":
                changed = True
                messages[place] = replace(m, content=result.text, parts=_masked_parts(guard, m, about))
        if changed:
            call.messages = tuple(messages)
            if messages[last].role == "user":
                call.question = messages[last].content
        return None

    def _earlier(self, guard: Guard, m: Message, about: About) -> GuardResult:
        about = replace(about, earlier=True)
        key = (guard.version, m.role, m.content)
        found = self._seen.get(key)
        if found is None:
            found = _judge(guard, m, about)
            if about.vault is not None and any(v.check == "personal" and v.score > 0 for v in found.verdicts):
                return found  # its placeholders are those of one vault, which has to know them
            if len(self._seen) >= _REMEMBERED:
                with suppress(KeyError, RuntimeError):  # another thread was faster
                    self._seen.pop(next(iter(self._seen)))
            self._seen[key] = found
        return found

    def _judge_texts(self, call: Call, guard: Guard, verdicts: list[Verdict]) -> GuardResult | None:
        """Texts to embed are masked; to be judged (moderations) they are judged and never refused."""
        if not call.texts:
            return None
        about = about_call(call)
        results = [guard.check_input(text, about) for text in call.texts]
        if call.task == "moderate":
            call.judged = tuple(results)
            verdicts += [replace(v, action="log") if v.action != "allow" else v for r in results for v in r.verdicts]
            return None
        call.texts = tuple(r.text if r.action in EDITS else t for t, r in zip(call.texts, results, strict=True))
        call.personal = any(r.action in EDITS for r in results)
        verdicts += [v for r in results for v in r.verdicts]
        return None


def about_call(call: Call) -> About:
    """What the checks may know of a call."""
    who = call.principal
    caller = {"id": who.key_id, "owner": who.owner, "team": who.team, "roles": [who.role]} if who is not None else {}
    turns: tuple[str, ...] = ()
    if len(call.messages) > 1:
        turns = tuple([m.content for m in call.messages[:-1] if m.role == "user" and m.content])
    tool, arguments = "", {}
    if call.task == "tool":
        tool, arguments = call.model, _arguments(call)
    return About(
        call.language, turns, caller, call.task, call.model, call.confirmed, tool, arguments,
        shown=tuple([hit.chunk.text for hit in call.hits] + [m.content for m in call.messages]), vault=call.vault,
    )  # fmt: skip


def _arguments(call: Call) -> dict[str, Any]:
    try:
        given = json.loads(call.messages[-1].content)
    except (ValueError, IndexError):
        return {}
    return given if isinstance(given, dict) else {}


def _judge(guard: Guard, m: Message, about: About) -> GuardResult:
    if m.role == "tool":
        return guard.check_untrusted(m.content, about)
    return guard.mask(m.content, about) if m.role in ("assistant", "system") else guard.check_input(m.content, about)


def _masked_parts(guard: Guard, m: Message, about: About) -> tuple[dict[str, object], ...]:
    out = []
    for part in m.parts:
        text = part.get("text") if part.get("type") == "text" else None
        out.append(part if not isinstance(text, str) else part | {"text": guard.mask(text, about).text})
    return tuple(out)


async def _refuse(text: str) -> AsyncGenerator[Piece, None]:
    yield Piece(text)
    yield Piece(finish="content_filter")


async def _out(reply: Reply, guard: Guard, call: Call) -> AsyncGenerator[Piece, None]:
    """Each choice is watched by itself; arguments of tool calls are masked as text is."""
    watches: dict[int, OutputWatch] = {}
    tools: dict[tuple[int, int], HoldBack] = {}
    outcome = reply.outcome
    about = about_call(call)
    async with aclosing(reply.pieces) as pieces:
        async for piece in pieces:
            watch = watches.get(piece.index)
            if watch is None:
                watch = watches[piece.index] = guard.watch_output(about)
            ended: GuardResult | None = None
            if piece.text:
                piece.text, ended = watch.feed(piece.text)
            if piece.finish and ended is None:
                rest, result = watch.finish()
                piece.text += rest
                if result.stops:
                    ended = result
                else:
                    outcome.verdicts += result.verdicts
                    del watches[piece.index]
            if ended is not None:
                outcome.verdicts += ended.verdicts
                outcome.kind, outcome.finish, outcome.citations = "refused", "content_filter", ()
                async for last in _refuse(guard.refusal(ended, call.language)):
                    last.index = piece.index
                    yield last
                return
            if piece.tool is not None:
                place = (piece.index, piece.tool["index"])
                hold = tools.get(place) or tools.setdefault(place, Privacy(guard.policy.privacy).watch())
                piece.tool["arguments"] = hold.feed(piece.tool["arguments"])
            if piece.finish:
                for (index, position), hold in tools.items():
                    if index == piece.index and (rest := hold.finish()):
                        yield Piece("", index, {"index": position, "id": "", "name": "", "arguments": rest})
                yield piece
            elif piece.text or piece.tool is not None or piece.vectors is not None:
                yield piece
    for index, watch in watches.items():  # a reply that never said where a choice ends
        rest, result = watch.finish()
        outcome.verdicts += result.verdicts
        if result.stops:
            outcome.kind, outcome.finish, outcome.citations = "refused", "content_filter", ()
            rest = guard.refusal(result, call.language)
        if rest:
            yield Piece(rest, index)
