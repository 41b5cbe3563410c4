"""The guard at both doors."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING

from luodi.engine import Message
from luodi.gateway.call import Call, Next, Outcome, Piece, Reply
from luodi.guard import Guard, GuardResult, HoldBack, OutputWatch, Verdict

if TYPE_CHECKING:
    from luodi.gateway.core import Gateway

_REMEMBERED = 2048  # results of earlier turns, which come again with every turn of a conversation


class GuardStep:
    """Refuses attacks and masks personal data on the way in; on the way out holds text back until it is checked."""

    def __init__(self, gateway: Gateway) -> None:
        self._seen: dict[tuple[str, bool, str], GuardResult] = {}

    async def __call__(self, call: Call, following: Next) -> Reply:
        guard = call.release.guard
        verdicts: list[Verdict] = []
        blocked = self._judge_texts(call, guard, verdicts) or self._judge_messages(call, guard, verdicts)
        if blocked is not None:
            outcome = Outcome(kind="refused", finish="content_filter", verdicts=verdicts)
            return Reply(_refuse(guard.refusal(blocked, call.language)), outcome)
        reply = await following(call)
        reply.outcome.verdicts = [*verdicts, *reply.outcome.verdicts]
        return Reply(_out(reply, guard, call), reply.outcome)

    def _judge_messages(self, call: Call, guard: Guard, verdicts: list[Verdict]) -> GuardResult | None:
        """The result that blocks, if one does. The last turn's verdicts are kept, of earlier ones what is not "allow".

        An answer reads the question only; a chat sends its whole history to the model, so all of it is judged.
        What a tool is given is judged and not masked: an order is found by its number.
        What tools brought is untrusted text; what the assistant and the caller's own system said is masked only.
        """
        messages = list(call.messages)
        last = len(messages) - 1
        one = call.task in ("answer", "search", "tool")
        places = range(last + 1) if call.task == "chat" else range(last, last + 1) if one else ()
        changed = False
        for place in places:
            m = messages[place]
            if not m.content:
                continue
            result = self._judge(guard, m, remember=place != last)
            if m.role in ("assistant", "system"):
                if result.action == "block":
                    continue
            elif place == last:
                verdicts += result.verdicts
            else:
                verdicts += [v for v in result.verdicts if v.action != "allow"]
            if result.action == "block":
                return result
            if result.text != m.content and call.task == "tool":
                call.personal = True
            elif result.text != m.content:
                call.personal = changed = True
                messages[place] = replace(m, content=result.text, parts=_masked_parts(guard, m))
        if changed:
            call.messages = tuple(messages)
            if messages[last].role == "user":
                call.question = messages[last].content
        return None

    def _judge(self, guard: Guard, m: Message, *, remember: bool) -> GuardResult:
        key = (guard.version, m.role == "tool", m.content)
        found = self._seen.get(key)
        if found is None:
            found = guard.check_untrusted(m.content) if m.role == "tool" else guard.check_input(m.content)
            if remember:
                if len(self._seen) >= _REMEMBERED:
                    self._seen.pop(next(iter(self._seen)))
                self._seen[key] = found
        return found

    def _judge_texts(self, call: Call, guard: Guard, verdicts: list[Verdict]) -> GuardResult | None:
        """Texts to embed are masked; to be judged (moderations) they are judged and never refused."""
        if not call.texts:
            return None
        results = [guard.check_input(text) for text in call.texts]
        if call.task == "moderate":
            call.judged = tuple(results)
        else:
            call.texts = tuple(
                mask.text if mask.action == "mask" else t for t, mask in zip(call.texts, results, strict=True)
            )
            call.personal = any(r.action == "mask" for r in results)
        verdicts += [v for r in results for v in r.verdicts]
        return None


def _masked_parts(guard: Guard, m: Message) -> tuple[dict[str, object], ...]:
    out = []
    for part in m.parts:
        text = part.get("text") if part.get("type") == "text" else None
        out.append(part if not isinstance(text, str) else part | {"text": guard.check_input(text).text or text})
    return tuple(out)


async def _refuse(text: str) -> AsyncGenerator[Piece, None]:
    yield Piece(text)
    yield Piece(finish="content_filter")


async def _out(reply: Reply, guard: Guard, call: Call) -> AsyncGenerator[Piece, None]:
    """Each choice is watched by itself; arguments of tool calls are masked as text is."""
    watches: dict[int, OutputWatch] = {}
    tools: dict[tuple[int, int], HoldBack] = {}
    outcome = reply.outcome
    async with aclosing(reply.pieces) as pieces:
        async for piece in pieces:
            watch = watches.get(piece.index)
            if watch is None:
                watch = watches[piece.index] = guard.watch_output()
            if piece.text:
                piece.text, ended = watch.feed(piece.text)
                if ended is not None:
                    outcome.verdicts += ended.verdicts
                    outcome.kind, outcome.finish, outcome.citations = "refused", "content_filter", ()
                    async for last in _refuse(guard.refusal(ended, call.language)):
                        last.index = piece.index
                        yield last
                    return
            if piece.tool is not None:
                hold = tools.setdefault((piece.index, piece.tool["index"]), HoldBack())
                piece.tool["arguments"] = hold.feed(piece.tool["arguments"])
            if piece.finish:
                for (index, position), hold in tools.items():
                    if index == piece.index and (rest := hold.finish()):
                        yield Piece("", index, {"index": position, "id": "", "name": "", "arguments": rest})
                rest, result = watch.finish()
                outcome.verdicts += result.verdicts
                del watches[piece.index]
                piece.text += rest
                yield piece
            elif piece.text or piece.tool is not None or piece.vectors is not None:
                yield piece
    for index, watch in watches.items():  # a reply that never said where a choice ends
        rest, result = watch.finish()
        outcome.verdicts += result.verdicts
        if rest:
            yield Piece(rest, index)
