"""Generated content says that it is generated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luodi.engine.watermark import watermark_of
from luodi.gateway.call import Call, Next, Outcome, Reply
from luodi.gateway.labels import Labels

if TYPE_CHECKING:
    from luodi.gateway.core import Gateway

GENERATED = {"en": "AI-generated, from the documents cited", "zh": "由人工智能生成，依据所引文档"}
CHAT = {"en": "AI-generated", "zh": "由人工智能生成"}
AUTOMATIC = {"en": "automatic reply", "zh": "自动回复"}  # refusals and abstentions, which cite nothing


class Label:
    """Puts a visible label and metadata beside every reply; the metadata's keys are those of GB 45438."""

    def __init__(self, gateway: Gateway) -> None:
        self._labels = Labels(gateway.store)
        self._watermark = watermark_of(gateway.store).as_dict()

    async def __call__(self, call: Call, following: Next) -> Reply:
        reply = await following(call)
        if call.task not in ("answer", "chat"):
            return reply
        release = call.release.release
        reply.outcome.label = {
            "text": (GENERATED if call.task == "answer" else CHAT)[call.language],
            "AIGC": self._labels.metadata(call.id, release, call.release.digest),
        }
        call.ending.append(lambda outcome: _named(outcome, AUTOMATIC[call.language]))
        if call.release.watermark:
            call.ending.append(lambda outcome: _marked(outcome, self._watermark))
        return reply


def _marked(outcome: Outcome, watermark: dict[str, str]) -> None:
    """Whether the mark is in the text is known once a model has written it; what was kept says so of itself."""
    if outcome.label:
        outcome.label["watermark"] = watermark | {"written": outcome.watermarked}


def _named(outcome: Outcome, automatic: str) -> None:
    """Once a reply has ended, what it turned out to be is known."""
    if outcome.kind in ("refused", "abstained") and outcome.label:
        outcome.label["text"] = automatic
