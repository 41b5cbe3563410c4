"""Generated content says that it is generated."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

from luodi.gateway.call import Call, Next, Reply

if TYPE_CHECKING:
    from luodi.gateway.core import Gateway

GENERATED = {"en": "AI-generated, from the documents cited", "zh": "由人工智能生成，依据所引文档"}
AUTOMATIC = {"en": "automatic reply", "zh": "自动回复"}  # refusals and abstentions, which cite nothing


class Label:
    """Puts a visible label and metadata beside every reply; the metadata's keys are those of GB 45438."""

    def __init__(self, gateway: Gateway) -> None:
        self._served = gateway.served

    async def __call__(self, call: Call, following: Next) -> Reply:
        reply = await following(call)
        reply.outcome.label = {
            "text": GENERATED[call.language],
            "AIGC": {
                "Label": "1",
                "ContentProducer": self._served.release,
                "ProduceID": call.id,
                "ContentPropagator": self._served.release,
                "PropagateID": call.id,
            },
        }
        return Reply(_named(reply, AUTOMATIC[call.language]), reply.outcome)


async def _named(reply: Reply, automatic: str) -> AsyncGenerator[str, None]:
    """The reply's text; once it has ended, what it turned out to be is known."""
    async with aclosing(reply.text) as pieces:
        async for piece in pieces:
            yield piece
    if reply.outcome.kind in ("refused", "abstained"):
        reply.outcome.label["text"] = automatic
