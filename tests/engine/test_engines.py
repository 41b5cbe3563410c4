"""Every embedded engine on the same tiny model: the protocol, and the same answer from all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from luodi.engine import Engine, Message, Request, Sampling, answer_all, open_engine
from luodi.errors import EngineError
from luodi.testing import EngineConformance

HELLO = (Message("user", "Set required=False on the field"),)


@pytest.fixture(scope="module")
def opened(tiny_model: Path) -> Iterator[Callable[[str], Engine]]:
    """Engines by kind, each opened once."""
    engines: dict[str, Engine] = {}

    def open_once(kind: str) -> Engine:
        if kind not in engines:
            engines[kind] = open_engine(kind, tiny_model, threads=1)
        return engines[kind]

    yield open_once
    for engine in engines.values():
        engine.close()


class _Embedded(EngineConformance):
    """One engine for all tests, since loading takes a while; `make` opens another where a test closes it."""

    KIND = ""

    @pytest.fixture(autouse=True)
    def _folder(self, tiny_model: Path) -> None:
        self.folder = tiny_model

    def make(self) -> Engine:
        return open_engine(self.KIND, self.folder, threads=1)

    @pytest.fixture
    def engine(self, opened: Callable[[str], Engine]) -> Engine:
        return opened(self.KIND)


class TestOpenVino(_Embedded):
    KIND = "openvino"


class TestLlama(_Embedded):
    KIND = "llama"


class TestTransformers(_Embedded):
    KIND = "transformers"


def test_engines_agree_on_the_first_tokens(tiny_model: Path) -> None:
    texts = {}
    for kind in ("openvino", "llama", "transformers"):
        engine = open_engine(kind, tiny_model, threads=1)
        texts[kind] = answer_all(engine, [Request(HELLO, Sampling(max_tokens=3))])[0].text
        engine.close()
    assert len(set(texts.values())) == 1, texts


@pytest.mark.parametrize("kind", ["openvino", "llama"])
def test_answers_are_held_to_a_json_schema(kind: str, tiny_model: Path) -> None:
    import json

    schema = {
        "type": "object",
        "properties": {"ok": {"type": "boolean"}},
        "required": ["ok"],
        "additionalProperties": False,
    }
    engine = open_engine(kind, tiny_model, threads=1)
    answer = answer_all(engine, [Request(HELLO, Sampling(max_tokens=200, json_schema=schema))])[0]
    engine.close()
    assert isinstance(json.loads(answer.text)["ok"], bool)


def test_the_reference_says_that_it_has_no_schemas(tiny_model: Path) -> None:
    engine = open_engine("transformers", tiny_model, threads=1)
    with pytest.raises(EngineError, match="JSON schema"):
        answer_all(engine, [Request(HELLO, Sampling(json_schema={"type": "object"}))])
    engine.close()


@pytest.mark.parametrize("kind", ["openvino", "llama", "transformers"])
def test_a_prompt_that_does_not_fit_is_an_error_and_ends_nothing_else(kind: str, tiny_model: Path) -> None:
    engine = open_engine(kind, tiny_model, threads=1)
    with pytest.raises(EngineError, match="more than the"):
        answer_all(engine, [Request((Message("user", "word " * 2000),), Sampling(max_tokens=4))])
    assert answer_all(engine, [Request(HELLO, Sampling(max_tokens=2))])[0].completion_tokens == 2
    engine.close()


def test_llama_with_a_quantised_cache_answers(tiny_model: Path) -> None:
    from luodi.engine.llama import LlamaEngine

    engine = LlamaEngine(tiny_model, threads=1, kv_cache="q8_0")
    assert answer_all(engine, [Request(HELLO, Sampling(max_tokens=4))])[0].completion_tokens == 4
    engine.close()


def test_an_unknown_engine_names_the_known_ones(tiny_model: Path) -> None:
    with pytest.raises(EngineError) as caught:
        open_engine("turbo", tiny_model)
    assert "openvino" in caught.value.hint


def test_a_missing_pick_names_those_there_are(tiny_model: Path) -> None:
    with pytest.raises(EngineError, match="it has: large, small"):
        open_engine("openvino", tiny_model, pick="edge")
