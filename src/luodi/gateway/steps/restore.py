"""Values behind pseudonyms come back into the reply: last of all, so that nothing inside ever sees or keeps them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

from luodi.gateway.call import Call, Next, Piece, Reply
from luodi.guard.vault import Restorer, Vault

if TYPE_CHECKING:
    from luodi.gateway.core import Gateway


class Restore:
    """Restores what this very call's vault knows; the vault is the caller's own. Each choice is a stream of its own."""

    def __init__(self, gateway: Gateway) -> None:
        pass

    async def __call__(self, call: Call, following: Next) -> Reply:
        reply = await following(call)
        if call.vault is None or not len(call.vault):
            return reply
        restored = _restored(reply.pieces, call.vault)
        await anext(restored)  # started, so that closing it closes what is inside even if nobody asks for a piece
        return Reply(restored, reply.outcome)


async def _restored(inner: AsyncGenerator[Piece, None], vault: Vault) -> AsyncGenerator[Piece, None]:
    texts: dict[int, Restorer] = {}
    tools: dict[tuple[int, int], Restorer] = {}
    async with aclosing(inner) as pieces:
        yield Piece()
        async for piece in pieces:
            if piece.text:
                text = texts.get(piece.index) or texts.setdefault(piece.index, Restorer(vault))
                piece.text = text.feed(piece.text)
            if piece.tool is not None:
                place = (piece.index, piece.tool["index"])
                tool = tools.get(place) or tools.setdefault(place, Restorer(vault, quoted=True))
                piece.tool["arguments"] = tool.feed(piece.tool["arguments"])
            if piece.finish:
                for rest in _rest(piece.index, texts, tools):
                    if rest.tool is not None:
                        yield rest
                    else:
                        piece.text += rest.text
            if piece.text or piece.tool is not None or piece.finish or piece.logprobs or piece.vectors is not None:
                yield piece
    for index in {*texts, *(index for index, _ in tools)}:  # a reply that never said where a choice ends
        for rest in _rest(index, texts, tools):
            yield rest


def _rest(index: int, texts: dict[int, Restorer], tools: dict[tuple[int, int], Restorer]) -> list[Piece]:
    out = []
    for place in [place for place in tools if place[0] == index]:
        if rest := tools.pop(place).finish():
            out.append(Piece("", index, {"index": place[1], "id": "", "name": "", "arguments": rest}))
    text = texts.pop(index, None)
    if text is not None and (rest := text.finish()):
        out.append(Piece(rest, index))
    return out
