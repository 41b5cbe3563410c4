"""The one internal form of a request and of its answer, whatever surface it came by."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from luodi.engine import Message, Sampling
from luodi.gateway.keys import Principal
from luodi.guard import Verdict
from luodi.knowledge import Citation, Hit

Kind = Literal["", "generated", "extracted", "abstained", "refused"]


@dataclass(slots=True)
class Call:
    """A request on its way in. Steps fill in what they learn; nothing else is carried beside it."""

    id: str
    surface: str
    model: str
    messages: tuple[Message, ...]
    sampling: Sampling
    secret: str = ""
    principal: Principal | None = None
    question: str = ""
    language: Literal["en", "zh"] = "en"
    hits: tuple[Hit, ...] = ()
    nearest: tuple[Hit, ...] = ()  # shown when the passages do not speak of what is asked
    started: float = field(default_factory=time.monotonic)


@dataclass(slots=True)
class Outcome:
    """What became of a call; complete when the reply's text has ended."""

    kind: Kind = ""
    finish: Literal["", "stop", "length", "cancelled", "error", "content_filter"] = ""
    citations: tuple[Citation, ...] = ()
    nearest: tuple[Citation, ...] = ()
    verdicts: list[Verdict] = field(default_factory=list)
    checks: list[dict[str, Any]] = field(default_factory=list)
    dropped: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached: bool = False
    label: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    first_ms: float = 0.0


@dataclass(slots=True)
class Reply:
    """An answer: always a stream of text; a whole answer is a stream collected."""

    text: AsyncGenerator[str, None]
    outcome: Outcome


Next = Callable[[Call], Awaitable[Reply]]
Step = Callable[[Call, Next], Awaitable[Reply]]
