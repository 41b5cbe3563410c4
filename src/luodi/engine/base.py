"""The protocol every engine speaks, and how to gather what it says."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from luodi.errors import EngineError

if TYPE_CHECKING:
    from luodi.engine.watermark import Watermark

Finish = Literal["", "stop", "length", "cancelled", "error"]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation.

    Attributes:
        content: its text; of a message with parts, the text parts joined.
        parts: OpenAI's content parts, if there are others than text (images); engines that can't take them refuse.
        tool_calls: of an assistant's turn, in OpenAI's form.
        tool_call_id: which call a tool's turn answers.
    """

    role: Literal["system", "user", "assistant", "tool"]
    content: str
    parts: tuple[dict[str, Any], ...] = ()
    tool_calls: tuple[dict[str, Any], ...] = ()
    tool_call_id: str = ""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to choose tokens. A temperature of 0 is greedy and the same every time."""

    max_tokens: int = 128
    temperature: float = 0.0
    top_p: float = 1.0
    stop: tuple[str, ...] = ()
    seed: int = 0
    json_schema: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """What an engine is asked. `watermark` is written into the answer where the engine can; its last piece says so."""

    messages: tuple[Message, ...]
    sampling: Sampling = field(default_factory=Sampling)
    watermark: Watermark | None = None


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of an answer. The last one has `finish` set and carries the token counts, and whether it is marked."""

    text: str = ""
    finish: Finish = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    error: str = ""
    watermarked: bool = False


Emit = Callable[[Delta], None]
Cancel = Callable[[], None]


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What an engine is: its kind, the model it runs, the longest prompt plus answer in tokens, whether it can mark."""

    kind: str
    model: str
    context: int
    watermark: bool = False


class Engine(Protocol):
    """A model that answers. `submit` returns at once; `emit` is called from the engine's own thread."""

    @property
    def info(self) -> EngineInfo: ...

    def submit(self, request: Request, emit: Emit) -> Cancel: ...

    def count(self, text: str) -> int: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer; `first_ms` is the time to the first token and `total_ms` to the last."""

    text: str
    finish: Finish
    prompt_tokens: int
    completion_tokens: int
    first_ms: float
    total_ms: float


def answer_all(
    engine: Engine,
    requests: Sequence[Request],
    *,
    at_once: int = 8,
    progress: Callable[[int, int], None] | None = None,
) -> list[Answer]:
    """Answers to all requests, in order, at most `at_once` in flight.

    Raises:
        EngineError: an answer failed.
    """
    import time

    answers: list[Answer | None] = [None] * len(requests)
    slots = threading.Semaphore(at_once)
    finished = threading.Semaphore(0)
    failures: list[str] = []

    def start(index: int) -> None:
        began = time.monotonic()
        parts: list[str] = []
        first = 0.0

        def emit(delta: Delta) -> None:
            nonlocal first
            if delta.text:
                first = first or time.monotonic()
                parts.append(delta.text)
            if delta.finish:
                now = time.monotonic()
                if delta.finish == "error":
                    failures.append(delta.error)
                answers[index] = Answer(
                    "".join(parts),
                    delta.finish,
                    delta.prompt_tokens,
                    delta.completion_tokens,
                    ((first or now) - began) * 1000,
                    (now - began) * 1000,
                )
                slots.release()
                finished.release()

        engine.submit(requests[index], emit)

    for index in range(len(requests)):
        slots.acquire()
        start(index)
        if progress:
            progress(sum(a is not None for a in answers), len(requests))
    for _ in requests:
        finished.acquire()
    if failures:
        raise EngineError(f"{engine.info.kind} could not answer: {failures[0]}")
    if progress:
        progress(len(requests), len(requests))
    return [a for a in answers if a is not None]


async def stream(engine: Engine, request: Request) -> AsyncIterator[Delta]:
    """The pieces of one answer. Leaving the iteration early cancels the work in the engine."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[Delta] = asyncio.Queue()

    def emit(delta: Delta) -> None:
        try:
            loop.call_soon_threadsafe(queue.put_nowait, delta)
        except RuntimeError:  # the loop is closed: nobody listens any more
            return

    cancel = engine.submit(request, emit)
    ended = False
    try:
        while not ended:
            delta = await queue.get()
            ended = bool(delta.finish)
            yield delta
    finally:
        if not ended:
            cancel()


class TextStream:
    """Text from tokens or pieces: holds back half characters and what may become a stop string."""

    def __init__(self, stop: tuple[str, ...] = ()) -> None:
        self._stop = tuple(s for s in stop if s)
        self._held = ""
        self.stopped = False

    def feed(self, piece: str) -> str:
        """Text that may be shown now."""
        if self.stopped:
            return ""
        text = self._held + piece
        cut = min((i for s in self._stop if (i := text.find(s)) >= 0), default=-1)
        if cut >= 0:
            self.stopped, self._held = True, ""
            return text[:cut]
        keep = 0
        for s in self._stop:
            for n in range(min(len(s) - 1, len(text)), keep, -1):
                if text.endswith(s[:n]):
                    keep = n
                    break
        if text.endswith("�"):  # a character of which not all bytes are there yet
            keep = max(keep, len(text) - len(text.rstrip("�")))
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def finish(self) -> str:
        """What was still held back when the answer ended."""
        held, self._held = self._held, ""
        return "" if self.stopped else held
