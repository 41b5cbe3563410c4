"""Choices that share their prompt are as likely as when each is read alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from luodi.engine import Message, open_engine
from luodi.errors import EngineError

pytest.importorskip("torch")
PROMPT = (Message("user", "Set required=False on the field. What does it do? 你好"),)


def test_as_read_one_by_one(tiny_model: Path) -> None:
    import torch

    from luodi.engine.reference import TransformersEngine
    from luodi.engine.template import render

    torch.set_num_threads(1)
    engine = open_engine("transformers", tiny_model, threads=1)
    assert isinstance(engine, TransformersEngine)
    engine._model.float()  # bfloat16 rounds away what is compared
    choices = ["make it optional", "a", "The documents do not say. 0 1 2 3", "世界", "make it required"]
    try:
        found = engine.choose(PROMPT, choices)
        prompt = render(engine._about["template"], PROMPT, bos="", eos="<|im_end|>")
        for choice, value in zip(choices, found, strict=True):
            start = len(engine._tokenizer(prompt.rstrip(), add_special_tokens=False)["input_ids"])
            ids = engine._tokenizer(prompt + choice, add_special_tokens=False, return_tensors="pt")["input_ids"]
            with torch.inference_mode():
                logs = engine._model(ids).logits[0].float().log_softmax(-1)
            alone = sum(float(logs[n - 1, ids[0, n]]) for n in range(start, ids.shape[1]))
            assert value == pytest.approx(alone, abs=1e-3), choice
        for few in (["a"], ["a", "b"]):
            assert engine.choose(PROMPT, few) == pytest.approx(
                engine.choose(PROMPT, [*few, "longer text"])[: len(few)], abs=1e-3
            )
        with pytest.raises(EngineError, match="more than the model's context"):
            engine.choose(PROMPT, ["word " * 600])
        with pytest.raises(EngineError, match="nothing to choose"):
            engine.choose(PROMPT, [])
        with pytest.raises(EngineError, match="at least one token"):
            engine.choose(PROMPT, ["a", ""])
    finally:
        engine.close()
