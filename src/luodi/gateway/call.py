"""The one internal form of a request and of its answer, whatever surface it came by."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from luodi.engine import Message, Sampling
from luodi.gateway.keys import Principal
from luodi.guard import GuardResult, Verdict
from luodi.guard.vault import Vault
from luodi.knowledge import Citation, Hit
from luodi.knowledge.conflict import Disagreement

if TYPE_CHECKING:
    from luodi.gateway.ledger.prices import Price
    from luodi.gateway.served import Served
    from luodi.gateway.steps.limit import Hold

Kind = Literal["", "generated", "extracted", "abstained", "refused", "embedded", "moderated", "found", "called"]
Finish = Literal["", "stop", "length", "tool_calls", "cancelled", "error", "content_filter"]
Task = Literal["answer", "chat", "embed", "moderate", "search", "tool"]
"""answer: from the release's documents. chat: a model alone, behind the same steps. embed, moderate: as they say.
search: passages without an answer. tool: an operation of another system."""


@dataclass(slots=True)
class Call:
    """A request on its way in. Steps fill in what they learn; nothing else is carried beside it.

    Attributes:
        task: what is asked for; steps that have nothing to do for a task pass it on.
        model: the name that was asked for.
        stream: whether the caller reads piece by piece.
        options: parameters of OpenAI's chat form that go to models which take them (tools, response_format, n,
            logprobs, …); empty for an answer from documents.
        texts: what is to be embedded or judged.
        work: what a tool does, once all steps have let the call pass.
        user: the end user as the caller names them; experiments stick to it.
        conversation: as the caller names it; pseudonyms are the same in all of its calls.
        vault: what pseudonyms of this call stand for; None where the policy writes none.
        confirmed: whether the caller says that its user has confirmed what is asked for.
        question: what was said last, judged and masked by the guard.
        headers: for the response, whether the call is answered or refused.
        ending: called once when the reply has ended, in whatever way, before its record is written; cheaper than a
            step that wraps the reply's pieces only to see their end.
    """

    id: str
    surface: str
    model: str
    messages: tuple[Message, ...]
    sampling: Sampling
    task: Task = "answer"
    stream: bool = False
    options: dict[str, Any] = field(default_factory=dict)
    texts: tuple[str, ...] = ()
    work: Callable[[Call, Outcome], AsyncGenerator[Piece, None]] | None = None
    secret: str = ""
    principal: Principal | None = None
    user: str = ""
    conversation: str = ""
    vault: Vault | None = None
    confirmed: bool = False
    priority: Literal["high", "normal", "low"] = "normal"
    caching: Literal["", "no-cache", "no-store"] = ""
    question: str = ""
    language: Literal["en", "zh"] = "en"
    served: Served | None = None
    experiment: dict[str, Any] = field(default_factory=dict)
    behaviour: dict[str, Any] = field(default_factory=dict)  # of the key, where it stands out
    hold: Hold | None = None
    personal: bool = False  # whether the guard found personal data in it
    judged: tuple[GuardResult, ...] = ()  # of each text of a moderation
    hits: tuple[Hit, ...] = ()
    confidence: float | None = None  # that an answer from the passages is right; None if nothing says it
    missing: tuple[str, ...] = ()  # words of the question that no passage holds
    conflicts: tuple[Disagreement, ...] = ()  # where the passages disagree
    nearest: tuple[Hit, ...] = ()  # shown when the passages do not speak of what is asked
    price: Price | None = None  # of the model that was asked last
    sent: Callable[[Price], None] | None = None  # says so where a kill does not forget it
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    ending: list[Callable[[Outcome], None]] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)

    @property
    def release(self) -> Served:
        """What serves this call. Only steps behind the one that chooses may ask."""
        assert self.served is not None
        return self.served

    @property
    def subject(self) -> str:
        """Whose content it is: the end user's if the caller names one, else the key's."""
        return f"user:{self.user}" if self.user else f"key:{self.principal.key_id if self.principal else ''}"


@dataclass(slots=True)
class Piece:
    """A part of a reply: text of one of its choices, a part of a tool call, or the end of a choice.

    Attributes:
        index: which choice, from 0.
        tool: {"index": …, "id": …, "name": …, "arguments": …}; id and name in its first part only.
        logprobs: as OpenAI's `choices[].logprobs`.
        finish: set once, with the last piece of the choice.
        vectors: of an embedding call.
    """

    text: str = ""
    index: int = 0
    tool: dict[str, Any] | None = None
    logprobs: dict[str, Any] | None = None
    finish: str = ""
    vectors: list[list[float]] | None = None


@dataclass(slots=True)
class Outcome:
    """What became of a call; complete when the reply's pieces have ended.

    Attributes:
        finish: of the first choice.
        prompt_tokens, completion_tokens: as counted so far; final at the end. `estimated` if the model did not count.
        cost_nano_usd: what the model cost; None as long as nothing says it.
        confidence: how likely the answer is right, as the release was calibrated; None if it was not.
        missing: words of the question that no passage holds.
        conflicts: where the sources of an answer disagree (`Disagreement.as_dict`).
        route: which model answered and why.
    """

    kind: Kind = ""
    finish: Finish = ""
    citations: tuple[Citation, ...] = ()
    nearest: tuple[Citation, ...] = ()
    verdicts: list[Verdict] = field(default_factory=list)
    checks: list[dict[str, Any]] = field(default_factory=list)
    confidence: float | None = None
    missing: tuple[str, ...] = ()
    conflicts: tuple[dict[str, Any], ...] = ()
    dropped: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    estimated: bool = False
    cost_nano_usd: int | None = None
    cached: str = ""  # "", "exact", "semantic" or "joined"
    route: dict[str, Any] = field(default_factory=dict)
    label: dict[str, Any] = field(default_factory=dict)
    watermarked: bool = False  # whether a model of ours wrote its text with the release's watermark
    error: str = ""
    status: int = 0  # of HTTP, of what went wrong
    first_ms: float = 0.0


@dataclass(slots=True)
class Reply:
    """An answer: always a stream of pieces; a whole answer is a stream collected."""

    pieces: AsyncGenerator[Piece, None]
    outcome: Outcome


Next = Callable[[Call], Awaitable[Reply]]
Step = Callable[[Call, Next], Awaitable[Reply]]


async def say(*texts: str) -> AsyncGenerator[Piece, None]:
    """Pieces of a fixed text."""
    for text in texts:
        yield Piece(text)
