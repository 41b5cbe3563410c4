"""What the gateway asks of a model, wherever it runs."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from math import inf
from typing import Any, Protocol

from luodi.engine import Message, Sampling
from luodi.engine.watermark import Watermark
from luodi.gateway.call import Outcome, Piece
from luodi.gateway.ledger.prices import MachineClock, Price
from luodi.gateway.problem import Problem


@dataclass(frozen=True, slots=True)
class Order:
    """What a model is asked. `options` are in OpenAI's chat form; `until` is when nobody waits any longer, by
    `time.monotonic()`; `watermark` is written into the answer by engines of our own."""

    messages: tuple[Message, ...]
    sampling: Sampling
    stream: bool = True
    options: dict[str, Any] = field(default_factory=dict)
    until: float = inf
    watermark: Watermark | None = None


class UpstreamError(Problem):
    """A model failed. `retry`: another try, or another model, may do better; `after_s` what the server asked for."""

    def __init__(self, message: str, *, retry: bool = True, after_s: float = 0.0, status: int = 502) -> None:
        kind = "upstream_error" if status == 502 else "invalid_request_error"
        super().__init__(status, kind, message, code="engine_error" if status == 502 else "upstream_refused")
        self.retry = retry
        self.after_s = after_s


class Upstream(Protocol):
    """One model at one place.

    Attributes:
        own: whether calls stay on machines of ours.
        takes: what it can do beyond text: "tools", "json_schema", "images", "n", "logprobs", "embed".
        context: longest prompt plus answer, in tokens.
        clock: shares the machine's cost, if it is priced by the hour.
    """

    name: str
    model: str
    own: bool
    takes: frozenset[str]
    context: int
    price: Price
    clock: MachineClock | None

    def generate(self, order: Order, outcome: Outcome) -> AsyncGenerator[Piece, None]:
        """The pieces of an answer; counts tokens and sets `finish` in `outcome` as it goes.

        Raises:
            UpstreamError: the model failed; before the first piece another may be tried.
        """
        ...

    async def embed(self, texts: tuple[str, ...], outcome: Outcome) -> list[list[float]]: ...

    def bound(self, messages: tuple[Message, ...]) -> int:
        """Tokens that a prompt has at most."""
        ...

    async def close(self) -> None: ...


def bytes_bound(messages: tuple[Message, ...]) -> int:
    """Tokens a prompt has at most where only the server has the tokenizer: a token is at least one byte.

    An image counts 2,000: more than the common servers take for one of high detail.
    """
    total = 8
    for m in messages:
        total += 8 + len(m.content.encode("utf-8", "replace"))
        for part in m.parts:
            if part.get("type") != "text":
                total += 2000
        for call in m.tool_calls:
            total += len(str(call).encode("utf-8", "replace"))
    return total
