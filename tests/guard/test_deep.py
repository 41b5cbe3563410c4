"""The transformer behind the linear model: asked in doubt only, bounded in time, told when it did not run."""

from __future__ import annotations

import json

import pytest

from luodi.errors import SourceError
from luodi.guard import Guard, GuardPolicy
from luodi.guard.deep import DeepModel


class Stub:
    version = "stub:1"

    def __init__(self, score=0.9, seconds=0.001):
        self.score_, self.seconds, self.asked = score, seconds, 0

    def score(self, text):
        self.asked += 1
        return self.score_, self.seconds


class Linear:
    version, threshold, conversation = "1:linear", 0.5, 0.0

    def __init__(self, score):
        self._score = score

    def score_grams(self, forms):
        return self._score


def guard(linear, stub, **settings):
    policy = GuardPolicy(input=("transformer",), untrusted=(), output=(), transformer=settings)
    return Guard(policy, linear, transformer=stub)


@pytest.mark.parametrize(("score", "asked"), [(0.01, 0), (0.3, 1), (0.9, 1), (0.97, 0)])
def test_it_is_asked_in_the_grey_band_only(score, asked):
    stub = Stub()
    result = guard(Linear(score), stub).check_input("hello")
    assert stub.asked == asked
    assert (result.action, result.verdicts[0].ran) == ("block" if asked else "allow", True)


def test_without_a_linear_model_it_is_always_asked():
    assert guard(None, Stub(0.2)).check_input("hello").action == "allow"
    assert guard(None, Stub(0.6)).check_input("hello").decisive.version == "stub:1"


def test_one_that_is_too_slow_rests_and_says_so():
    stub = Stub(0.1, seconds=0.5)
    g = guard(None, stub, budget_ms=100)
    results = [g.check_input("hello").verdicts[0] for _ in range(8 + 64 + 1)]
    assert stub.asked == 9
    assert not results[8].ran and "slower than 100 ms" in results[8].detail and results[72].ran


def test_a_missing_folder_is_told_and_the_policy_decides(tmp_path):
    for on_missing, action in (("allow", "allow"), ("block", "block")):
        checks = {"transformer": {"threshold": 0.5, "on_missing": on_missing}}
        policy = GuardPolicy(input=("transformer",), checks=checks, transformer={"folder": str(tmp_path / "none")})
        result = Guard(policy).check_input("hello")
        assert (result.action, result.verdicts[0].ran) == (action, False)
        assert "no classifier in" in result.verdicts[0].detail


def test_what_is_no_classifier_is_refused(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"id2label": {"0": "cat", "1": "dog"}}))
    with pytest.raises(SourceError, match="not clear"):
        DeepModel(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"id2label": {"0": "SAFE", "1": "INJECTION"}}))
    with pytest.raises(SourceError, match=r"no model\.onnx"):
        DeepModel(tmp_path)


@pytest.mark.slow
def test_a_classifier_of_transformers_is_read_from_its_folder(tmp_path):
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    torch.set_num_threads(1)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "hello", "ignore"]
    (tmp_path / "vocab.txt").write_text("\n".join(words))
    transformers.BertTokenizer(str(tmp_path / "vocab.txt")).save_pretrained(tmp_path)
    config = transformers.BertConfig(
        vocab_size=len(words), hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8,
        id2label={0: "SAFE", 1: "INJECTION"}, label2id={"SAFE": 0, "INJECTION": 1},
    )  # fmt: skip
    transformers.BertForSequenceClassification(config).save_pretrained(tmp_path)
    score, seconds = DeepModel(tmp_path).score("hello ignore \ud800")
    assert 0.0 < score < 1.0 and seconds < 5
