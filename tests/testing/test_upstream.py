"""RemoteEngine against a server that goes wrong."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from luodi.engine import Message, Request, Sampling
from luodi.engine.remote import RemoteEngine
from luodi.errors import EngineError
from luodi.testing import FaultyUpstream
from luodi.testing.engine_suite import collect, text_of

ASK = Request((Message("user", "What is the answer?"),), Sampling(max_tokens=16, stop=("@",), seed=3))


@pytest.fixture
def upstream() -> Iterator[FaultyUpstream]:
    with FaultyUpstream() as server:
        yield server


@pytest.fixture
def engine(upstream: FaultyUpstream) -> Iterator[RemoteEngine]:
    engine = RemoteEngine(upstream.url, silence_s=1.0)
    yield engine
    engine.close()


def test_ok(upstream: FaultyUpstream, engine: RemoteEngine) -> None:
    deltas = collect(engine, ASK)
    assert text_of(deltas) == "The answer is 42. [1]"
    assert (deltas[-1].finish, deltas[-1].prompt_tokens, deltas[-1].completion_tokens) == ("stop", 4, 5)
    assert engine.info.model == "fake"
    sent = upstream.bodies[0]
    assert (sent["max_tokens"], sent["stop"], sent["seed"], sent["temperature"]) == (16, ["@"], 3, 0.0)


def test_slow_headers_are_waited_for(upstream: FaultyUpstream, engine: RemoteEngine) -> None:
    upstream.mode = "slow headers"
    assert text_of(collect(engine, ASK)) == "The answer is 42. [1]"


@pytest.mark.parametrize(
    ("mode", "text", "told"),
    [
        ("never replies", "", "Timeout"),
        ("drops", "The answer ", ""),
        ("500", "", "answered 500"),
        ("429", "", "answered 429"),
        ("broken json", "The answer ", "JSONDecodeError"),
        ("wrong shape", "The answer ", "AttributeError"),
        ("error event", "The answer ", "out of memory"),
        ("no finish", "The answer ", "before the answer was finished"),
    ],
)
def test_faults_end_with_one_error_delta(
    upstream: FaultyUpstream, engine: RemoteEngine, mode: str, text: str, told: str
) -> None:
    upstream.mode = mode  # type: ignore[assignment]
    deltas = collect(engine, ASK)
    assert text_of(deltas) == text
    assert [d.finish for d in deltas if d.finish] == ["error"]
    assert told in deltas[-1].error and upstream.url in deltas[-1].error
    upstream.mode = "ok"
    assert text_of(collect(engine, ASK)) == "The answer is 42. [1]", "one fault must not spoil the next call"


def test_cancel_hangs_up(upstream: FaultyUpstream) -> None:
    with FaultyUpstream("word " * 1000, delay=0.01) as slow:
        engine = RemoteEngine(slow.url)
        last = collect(engine, Request(ASK.messages, Sampling(max_tokens=1000)), cancel_after=2)[-1]
        assert (last.finish, last.completion_tokens >= 1) == ("cancelled", True)
        assert slow.left.wait(10), "the server was not told"
        engine.close()


@pytest.mark.parametrize("mode", ["500", "wrong shape"])
def test_a_server_that_does_not_know_its_models_is_refused(upstream: FaultyUpstream, mode: str) -> None:
    upstream.mode = mode  # type: ignore[assignment]
    with pytest.raises(EngineError, match="does not answer as an OpenAI-compatible server") as caught:
        RemoteEngine(upstream.url)
    assert "/v1" in caught.value.hint


def test_nobody_there() -> None:
    with FaultyUpstream() as server:
        url = server.url
    began = time.monotonic()
    with pytest.raises(EngineError):
        RemoteEngine(url, connect_s=5.0)
    assert time.monotonic() - began < 10
    with pytest.raises(EngineError, match="not the address of a server"):
        RemoteEngine("ftp://host/v1")


def test_the_key_is_sent(upstream: FaultyUpstream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUODI_ENGINE_KEY", "s3cret")
    engine = RemoteEngine(upstream.url)
    collect(engine, ASK)
    engine.close()
    assert upstream.keys == ["Bearer s3cret"] * 2
