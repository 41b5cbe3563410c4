"""Generated content says that it is generated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luodi.gateway.call import Call, Next, Reply

if TYPE_CHECKING:
    from luodi.gateway.core import Gateway

TEXTS = {"en": "AI-generated, from the documents cited", "zh": "由人工智能生成，依据所引文档"}


class Label:
    """Puts a visible label and metadata beside every reply; the metadata's keys are those of GB 45438."""

    def __init__(self, gateway: Gateway) -> None:
        self._served = gateway.served

    async def __call__(self, call: Call, following: Next) -> Reply:
        reply = await following(call)
        reply.outcome.label = {
            "text": TEXTS[call.language],
            "AIGC": {
                "Label": "1",
                "ContentProducer": self._served.release,
                "ProduceID": call.id,
                "ContentPropagator": self._served.release,
                "PropagateID": call.id,
            },
        }
        return reply
