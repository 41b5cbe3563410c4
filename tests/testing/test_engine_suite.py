from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from luodi.engine import Engine, Message, Request, Sampling, open_engine
from luodi.engine.remote import RemoteEngine
from luodi.errors import EngineError
from luodi.testing import EngineConformance, FakeEngine, FaultyUpstream, engine_kinds
from luodi.testing.engine_suite import collect, text_of

TEXT = "Set required=False on the field 你好 🙂 and it is optional, naïve as it sounds."


class TestFake(EngineConformance):
    def make(self) -> Engine:
        return FakeEngine(TEXT)


class TestRemote(EngineConformance):
    @pytest.fixture(autouse=True)
    def upstream(self) -> Iterator[FaultyUpstream]:
        with FaultyUpstream(TEXT) as self.server:
            yield self.server

    def make(self) -> Engine:
        return RemoteEngine(self.server.url)


class Dishonest(FakeEngine):
    """Says that it stopped when it was cut, and counts nothing."""

    def submit(self, request: Request, emit: object) -> object:  # type: ignore[override]
        from luodi.engine import Delta

        def lie(delta: Delta) -> None:
            emit(Delta(delta.text, "stop" if delta.finish else ""))  # type: ignore[operator]

        return super().submit(request, lie)


def test_the_suite_fails_an_engine_that_lies() -> None:
    suite, engine = EngineConformance(), Dishonest(TEXT)
    request = Request((Message("user", "x"),), Sampling(max_tokens=16))
    for test in (suite.test_max_tokens_is_respected, suite.test_counts_are_counted):
        with pytest.raises(AssertionError):
            test(engine, request)
    suite.test_greedy_is_the_same_twice(engine, request)


def test_fail_after() -> None:
    engine = FakeEngine(TEXT, fail_after=2)
    deltas = collect(engine, Request((Message("user", "x"),)))
    assert text_of(deltas) == "Set required=False "
    assert (deltas[-1].finish, deltas[-1].completion_tokens) == ("error", 2)


def test_a_function_that_raises_is_an_error_delta() -> None:
    def answers(request: Request) -> str:
        raise ValueError("no answer to " + request.messages[0].content)

    last = collect(FakeEngine(answers), Request((Message("user", "x"),)))[-1]
    assert (last.finish, last.error) == ("error", "ValueError: no answer to x")


def test_cancel_does_not_wait_for_the_delay() -> None:
    engine = FakeEngine(TEXT, delay=60)
    ended = threading.Event()
    cancel = engine.submit(Request((Message("user", "x"),)), lambda delta: ended.set() if delta.finish else None)
    cancel()
    assert ended.wait(5)
    assert len(engine.cancelled) == 1


def test_engine_kinds_are_known_only_within(tmp_path: object) -> None:
    made = FakeEngine("Yes.")
    with engine_kinds(fake=lambda folder, *, pick, threads: made):
        assert open_engine("fake", tmp_path) is made  # type: ignore[arg-type]
        with pytest.raises(EngineError) as caught:
            open_engine("nosuch", tmp_path)  # type: ignore[arg-type]
        assert "openvino" in caught.value.hint and "fake" in caught.value.hint
    with pytest.raises(EngineError, match="there is no engine 'fake'"):
        open_engine("fake", tmp_path)  # type: ignore[arg-type]
