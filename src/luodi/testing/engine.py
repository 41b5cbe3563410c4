"""An engine that says what it is told, a word at a time."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import luodi.engine
from luodi.engine import Cancel, Delta, Emit, Engine, EngineInfo, Request
from luodi.engine.base import TextStream

_TOKEN = re.compile(r"[㐀-鿿豈-﫿]|[^\s㐀-鿿豈-﫿]+\s*|\s+")

Answers = Callable[[Request], str]


class FakeEngine:
    """Speaks the `Engine` protocol without a model. A token is a word with the space behind it, or a Chinese character.

    Args:
        answers: what to say to a request, or one text for all. If it raises, the answer ends with an error.
        delay: seconds before every token; a cancel does not wait for it.
        fail_after: tokens after which every answer ends with an error.
        marks: whether it says that it writes a watermark; its text has none.

    Attributes:
        requests: every request, in the order they came.
        cancelled: when each cancelled answer ended (time.monotonic()).
    """

    def __init__(
        self,
        answers: Answers | str,
        *,
        delay: float = 0.0,
        fail_after: int | None = None,
        context: int = 4096,
        marks: bool = False,
    ) -> None:
        self._answers = answers
        self._delay = delay
        self._fail_after = fail_after
        self._context = context
        self._marks = marks
        self._lock = threading.Lock()
        self._running: dict[threading.Thread, threading.Event] = {}
        self.requests: list[Request] = []
        self.cancelled: list[float] = []

    @property
    def info(self) -> EngineInfo:
        return EngineInfo("fake", "fake", self._context, watermark=self._marks)

    def submit(self, request: Request, emit: Emit) -> Cancel:
        stop = threading.Event()
        thread = threading.Thread(target=self._run, args=(request, emit, stop), name="fake-engine")
        with self._lock:
            self.requests.append(request)
            self._running[thread] = stop
        thread.start()
        return stop.set

    def count(self, text: str) -> int:
        return len(_TOKEN.findall(text))

    def close(self) -> None:
        """Cancel what is under way and wait for it."""
        with self._lock:
            running = dict(self._running)
        for stop in running.values():
            stop.set()
        for thread in running:
            thread.join()

    def _run(self, request: Request, emit: Emit, stop: threading.Event) -> None:
        prompt = sum(self.count(m.content) for m in request.messages)
        done = 0

        def end(**last: Any) -> None:
            marked = self._marks and request.watermark is not None
            emit(Delta(prompt_tokens=prompt, completion_tokens=done, watermarked=marked, **last))

        try:
            text = self._answers if isinstance(self._answers, str) else self._answers(request)
            shown = TextStream(request.sampling.stop)
            for token in _TOKEN.findall(text):
                if stop.wait(self._delay) if self._delay else stop.is_set():
                    self.cancelled.append(time.monotonic())
                    return end(finish="cancelled")
                if done == self._fail_after:
                    return end(finish="error", error="the fake engine fails, as it was told to")
                if done == request.sampling.max_tokens:
                    if rest := shown.finish():
                        emit(Delta(rest))
                    return end(finish="length")
                done += 1
                if piece := shown.feed(token):
                    emit(Delta(piece))
                if shown.stopped:
                    return end(finish="stop")
            if rest := shown.finish():
                emit(Delta(rest))
            end(finish="stop")
        except Exception as error:  # whatever a test's function raised
            end(finish="error", error=f"{type(error).__name__}: {error}")
        finally:
            with self._lock:
                self._running.pop(threading.current_thread(), None)


class _Point:
    """An entry point that was not installed."""

    def __init__(self, name: str, factory: Callable[..., Engine]) -> None:
        self.name, self._factory = name, factory

    def load(self) -> Callable[..., Engine]:
        return self._factory


@contextmanager
def engine_kinds(**kinds: Callable[..., Engine]) -> Iterator[None]:
    """Within the block `open_engine` knows these kinds, as if a package had registered them.

    A kind is called as an entry point is: with the model's folder, `pick` and `threads`.

        with engine_kinds(fake=lambda folder, *, pick, threads: FakeEngine("Yes.")):
    """
    installed: Any = vars(luodi.engine)["entry_points"]
    extra = [_Point(name, factory) for name, factory in kinds.items()]
    with patch.object(luodi.engine, "entry_points", lambda *, group: [*installed(group=group), *extra]):
        yield
