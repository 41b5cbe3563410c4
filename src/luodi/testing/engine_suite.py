"""What every engine must do. Inherit from the class, give it an engine, and pytest runs it.

class TestMyEngine(EngineConformance):
    def make(self) -> Engine:
        return MyEngine(folder, pick="large", threads=1)
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import replace

import pytest

from luodi.engine import Delta, Engine, Message, Request, Sampling, answer_all, stream

_ENDS_S = 60.0  # no answer of this suite may take longer


def collect(engine: Engine, request: Request, *, cancel_after: int | None = None) -> list[Delta]:
    """Every delta of one answer; cancels after so many. Raises: AssertionError if it does not end."""
    deltas: list[Delta] = []
    ended, enough = threading.Event(), threading.Event()

    def emit(delta: Delta) -> None:
        deltas.append(delta)
        if cancel_after and len(deltas) >= cancel_after:
            enough.set()
        if delta.finish:
            enough.set()
            ended.set()

    cancel = engine.submit(request, emit)
    if cancel_after is not None:
        assert not cancel_after or enough.wait(_ENDS_S), "no text came"
        cancel()
    assert ended.wait(_ENDS_S), "the answer did not end"
    return deltas


def text_of(deltas: list[Delta]) -> str:
    return "".join(d.text for d in deltas)


class EngineConformance:
    """`make` gives a fresh engine whose greedy answer to `request` has at least `LEAST` tokens.

    Override the fixture `engine` with a wider scope where loading takes long.
    """

    LEAST = 4

    def make(self) -> Engine:
        raise NotImplementedError

    @pytest.fixture
    def engine(self) -> Iterator[Engine]:
        engine = self.make()
        yield engine
        engine.close()

    @pytest.fixture
    def request_(self) -> Request:
        return Request(
            (Message("system", "Answer."), Message("user", "How do I make a field optional? 你好")),
            Sampling(max_tokens=16),
        )

    def test_says_what_it_is(self, engine: Engine) -> None:
        assert engine.info.kind and engine.info.model and engine.info.context > 0

    def test_greedy_is_the_same_twice(self, engine: Engine, request_: Request) -> None:
        first, second = answer_all(engine, [request_, request_], at_once=1)
        assert first.text == second.text != ""
        assert (first.finish, first.completion_tokens) == (second.finish, second.completion_tokens)

    def test_only_the_last_delta_has_a_finish(self, engine: Engine, request_: Request) -> None:
        deltas = collect(engine, request_)
        assert [bool(d.finish) for d in deltas] == [False] * (len(deltas) - 1) + [True]
        assert deltas[-1].finish in ("stop", "length")

    def test_max_tokens_is_respected(self, engine: Engine, request_: Request) -> None:
        few = self.LEAST - 1
        last = collect(engine, replace(request_, sampling=Sampling(max_tokens=few)))[-1]
        assert (last.finish, last.completion_tokens) == ("length", few)

    def test_stop_strings_are_never_shown(self, engine: Engine, request_: Request) -> None:
        whole = text_of(collect(engine, request_))
        stop = whole[len(whole) // 2 :][:3]
        deltas = collect(engine, replace(request_, sampling=Sampling(max_tokens=16, stop=(stop,))))
        assert text_of(deltas) == whole[: whole.find(stop)]
        assert deltas[-1].finish == "stop"

    def test_counts_are_counted(self, engine: Engine, request_: Request) -> None:
        last = collect(engine, request_)[-1]
        assert last.prompt_tokens > 0 and last.completion_tokens > 0
        assert engine.count("one two three") > 0
        assert engine.count("one two three " * 50) > engine.count("one two three")

    def test_cancel_ends_it(self, engine: Engine, request_: Request) -> None:
        long = replace(request_, sampling=Sampling(max_tokens=256))
        whole = collect(engine, long)
        deltas = collect(engine, long, cancel_after=1)
        assert deltas[-1].finish in ("cancelled", whole[-1].finish)  # it may have been over before the cancel came
        assert sum(bool(d.finish) for d in deltas) == 1
        assert text_of(whole).startswith(text_of(deltas))

    def test_cancel_at_once_ends_it(self, engine: Engine, request_: Request) -> None:
        for _ in range(5):
            deltas = collect(engine, request_, cancel_after=0)
            assert sum(bool(d.finish) for d in deltas) == 1 and deltas[-1].finish

    def test_cancel_after_the_end_does_nothing(self, engine: Engine, request_: Request) -> None:
        ended = threading.Event()
        deltas: list[Delta] = []

        def emit(delta: Delta) -> None:
            deltas.append(delta)
            if delta.finish:
                ended.set()

        cancel = engine.submit(request_, emit)
        assert ended.wait(_ENDS_S)
        cancel()
        cancel()
        assert text_of(collect(engine, request_)) == text_of(deltas)
        assert sum(bool(d.finish) for d in deltas) == 1

    def test_eight_at_once_all_end(self, engine: Engine, request_: Request) -> None:
        questions = [replace(request_, messages=(Message("user", f"question {n}"),)) for n in range(8)]
        answers = answer_all(engine, questions, at_once=8)
        assert len(answers) == 8
        assert all(a.finish in ("stop", "length") and a.completion_tokens > 0 for a in answers)

    def test_leaving_a_stream_cancels(self, engine: Engine, request_: Request) -> None:
        async def first_piece() -> Delta:
            async with aclosing(stream(engine, request_)) as deltas:  # type: ignore[type-var]
                async for delta in deltas:
                    return delta
            raise AssertionError("nothing came")

        assert asyncio.run(first_piece()).finish != "error"
        assert text_of(collect(engine, request_))  # and the engine goes on working

    def test_an_error_is_a_delta(self, engine: Engine, request_: Request) -> None:
        """A prompt that is too long ends with an error, a cut, or an answer; it never raises and never hangs."""
        long = replace(request_, messages=(Message("user", "word " * (engine.info.context * 2)),))
        assert collect(engine, long)[-1].finish in ("error", "length", "stop")
        assert text_of(collect(engine, request_))

    def test_unicode_survives(self, engine: Engine) -> None:
        told = Request((Message("user", "naïve 你好 🙂 e\u0301 \u202e\x00"),), Sampling(max_tokens=16))
        for delta in collect(engine, told):
            delta.text.encode("utf-8")
            assert delta.finish != "error", delta.error

    def test_close_ends_what_is_under_way(self, request_: Request) -> None:
        engine = self.make()
        ended = threading.Event()
        engine.submit(replace(request_, sampling=Sampling(max_tokens=256)), lambda d: ended.set() if d.finish else None)
        engine.close()
        assert ended.wait(_ENDS_S), "the answer was left without its last delta"

    def test_close_is_clean(self, request_: Request) -> None:
        engine = self.make()
        before = {t for t in threading.enumerate() if not t.daemon}
        collect(engine, request_)
        began = time.monotonic()
        engine.close()
        assert time.monotonic() - began < 30
        assert {t for t in threading.enumerate() if not t.daemon} <= before
