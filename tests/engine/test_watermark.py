"""The mark is found with its key and with no other, in what each engine that can writes; unmarked text has none."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from luodi.engine import Message, Request, Sampling, answer_all, open_engine
from luodi.engine.watermark import GREEN, LEAST, MEASURED, Watermark, tokenizer_of, watermark_of
from luodi.errors import EngineError
from luodi.store import Store

MARK, OTHER = Watermark(b"a" * 32), Watermark(b"b" * 32)
HELLO = (Message("user", "Set required=False on the field"),)


def numbers(text: str) -> list[int]:
    return [int(word) for word in text.split()]


def test_one_token_and_many_agree() -> None:
    tokens = np.arange(49_152)
    green = MARK.green(17, tokens)
    assert abs(green.mean() - GREEN) < 0.01
    assert [MARK.is_green(17, token) for token in range(2000)] == green[:2000].tolist()
    assert (MARK.green(18, tokens) != green).any() and (OTHER.green(17, tokens) != green).any()
    assert set(MARK.lift(17, tokens)[green]) == {np.float32(2.0)} and not MARK.lift(17, tokens)[~green].any()


def test_marked_text_is_found_with_its_key_alone() -> None:
    rng, tokens = np.random.default_rng(3), [1]
    for _ in range(200):  # of 40 candidates the likeliest on the list, in half of the places
        candidates = rng.integers(0, 49_152, 40)
        listed = candidates[MARK.green(tokens[-1], candidates)]
        tokens.append(int(listed[0] if len(listed) and rng.random() < 0.5 else candidates[0]))
    text = " ".join(map(str, tokens))
    found = MARK.detect(text, numbers)
    assert found.verdict == "found" and found.p_value is not None and found.p_value < 1e-6 and found.places == 200
    assert OTHER.detect(text, numbers).verdict == "not_found"
    assert found.key == MARK.key_id != OTHER.key_id and (b"a" * 32).hex() not in str(found.as_dict())


def test_what_is_repeated_counts_once_and_short_text_is_not_judged() -> None:
    short = MARK.detect(" ".join(map(str, range(LEAST))), numbers)
    assert (short.verdict, short.z, short.p_value) == ("too_short", None, None)
    assert MARK.detect("", numbers).places == 0
    assert MARK.detect("1 2 3 " * 5000, numbers).places == 3


def test_text_without_the_mark_keeps_to_the_rate_that_the_limit_promises() -> None:
    rng = np.random.default_rng(4)
    texts = (" ".join(map(str, rng.integers(0, 49_152, 200))) for _ in range(600))
    assert sum(MARK.detect(text, numbers).verdict == "found" for text in texts) <= 15


@pytest.mark.parametrize("kind", ["llama", "transformers"])
@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_engines_write_it(kind: str, temperature: float, tiny_model: Path) -> None:
    engine = open_engine(kind, tiny_model, threads=1)
    assert engine.info.watermark
    said = {}
    for mark in (MARK, None):
        request = Request(HELLO, Sampling(max_tokens=160, temperature=temperature, seed=5), mark)
        last: list[bool] = []
        (answer,) = answer_all(_Watching(engine, last), [request])  # type: ignore[arg-type]
        said[mark] = (answer.text, last[-1])
        assert answer.completion_tokens <= 160
    engine.close()
    tokenize = tokenizer_of(tiny_model)
    (marked, wrote), (plain, wrote_none) = said[MARK], said[None]
    assert wrote and not wrote_none and marked != plain
    places, green = MARK.count(tokenize(marked))
    assert green / places > GREEN + 0.2, (places, green)


def test_a_marked_answer_ends_at_a_stop_text_and_is_the_same_every_time(tiny_model: Path) -> None:
    engine = open_engine("llama", tiny_model, threads=1)
    whole = Request(HELLO, Sampling(max_tokens=40, temperature=0.9, seed=1), MARK)
    first, again = answer_all(engine, [whole, whole])
    assert first.text == again.text
    stop = first.text[10:13]
    (cut,) = answer_all(engine, [Request(HELLO, Sampling(max_tokens=40, temperature=0.9, seed=1, stop=(stop,)), MARK)])
    engine.close()
    assert cut.text == first.text[: first.text.index(stop)] and cut.finish == "stop"


def test_openvino_says_that_it_cannot(tiny_model: Path) -> None:
    engine = open_engine("openvino", tiny_model, threads=1)
    last: list[bool] = []
    answer_all(_Watching(engine, last), [Request(HELLO, Sampling(max_tokens=4), MARK)])  # type: ignore[arg-type]
    engine.close()
    assert not engine.info.watermark and last == [False]


def test_the_key_is_the_stores_and_a_tokenizer_must_be_there(store: Store, tmp_path: Path) -> None:
    assert watermark_of(store).key_id == watermark_of(store).key_id != watermark_of(Store(tmp_path / "other")).key_id
    with pytest.raises(EngineError, match="no tokenizer"):
        tokenizer_of(tmp_path)


class _Watching:
    """An engine whose last pieces say whether they were marked."""

    def __init__(self, engine: object, last: list[bool]) -> None:
        self._engine, self._last = engine, last

    @property
    def info(self) -> object:
        return self._engine.info  # type: ignore[attr-defined]

    def submit(self, request: Request, emit: Callable[..., None]) -> object:
        def watched(delta: object) -> None:
            if delta.finish:  # type: ignore[attr-defined]
                self._last.append(delta.watermarked)  # type: ignore[attr-defined]
            emit(delta)

        return self._engine.submit(request, watched)  # type: ignore[attr-defined]


def test_the_rates_that_are_told_are_those_measured() -> None:
    results = Path(__file__).parents[2] / "benchmarks" / "results" / "guard-watermark.json"
    found = {round(row["value"], 4) for row in json.loads(results.read_text("utf-8")) if row["unit"] == "share"}
    told = [*MEASURED["text_without_the_mark_found"].values(), *MEASURED["marked_text_found"].values()]
    assert told and set(told) <= found
