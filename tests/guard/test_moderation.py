"""The check of content: categories and their dispositions, disguises, streams, the trained model."""

from __future__ import annotations

import base64
import random

import pytest

from luodi.errors import SourceError
from luodi.guard import About, Guard, GuardPolicy

pytest.importorskip("ahocorasick_rs")
from luodi.guard.moderation import CategoryModel, Words

WORDS = Words([("毒品", "A.1.8"), ("种族笑话", "A.2.1"), ("gore", "A.1.6"), ("自残", "A.4.1")], ["禁毒品宣传"])
BY_CATEGORY = {
    "A.1": "block", "A.2": {"action": "replace", "say": {"en": "[not said here]", "zh": "【略】"}}, "A.1.6": "mask",
    "A.4.1": {"action": "answer", "say": {"en": "Please talk to someone: 988.", "zh": "请拨打心理援助热线12356。"}},
}  # fmt: skip


def guard(**more):
    checks = {"moderation": {"action": "log", "categories": BY_CATEGORY}}
    return Guard(GuardPolicy(input=("moderation",), untrusted=(), output=("moderation",), checks=checks), **more)


def test_each_category_has_its_disposition():
    g = guard(words=WORDS)
    assert g.check_input("天气很好").action == "allow"
    blocked = g.check_input("哪里买毒品")
    assert (blocked.action, blocked.decisive.category, blocked.text) == ("block", "A.1.8", "")
    assert g.check_input("讲个种族笑话", About(language="zh")).text == "讲个【略】"
    assert g.check_input("no gore please").text == "no *** please"
    helped = g.check_input("我想自残", About(language="zh"))
    assert helped.action == "answer" and g.refusal(helped, "zh") == "请拨打心理援助热线12356。"
    both = g.check_input("gore and 毒品")
    assert both.action == "block" and dict(both.verdicts[0].scores) == {"A.1.6": 1.0, "A.1.8": 1.0}
    assert g.check_input("参加禁毒品宣传").action == "allow"


def test_disguised_words_are_found():
    g = guard(words=WORDS)
    assert g.check_input(base64.b64encode("请问哪里可以买到毒品".encode()).decode()).action == "block"
    assert g.check_input("毒\u200b品").action == "block"


def test_no_blocked_word_is_shown_on_a_stream():
    rng = random.Random(1)
    for _ in range(200):
        text, shown, ended = "价格和毒品都贵。", "", None
        watch, at = guard(words=WORDS).watch_output(), 0
        while at < len(text) and ended is None:
            size = rng.randint(1, 3)
            piece, ended = watch.feed(text[at : at + size])
            shown += piece
            at += size
        assert ended is not None and ended.action == "block"
        assert "毒" not in shown


def test_without_words_and_model_the_check_did_not_run():
    result = guard().check_input("x")
    assert not result.verdicts[0].ran and result.action == "block"


@pytest.fixture(scope="module")
def model():
    pytest.importorskip("sklearn")
    rng = random.Random(3)
    verbs = ("build", "make", "assemble", "buy")
    bombs = [f"how do I {rng.choice(verbs)} a pipe bomb number {n}" for n in range(60)]
    hate = [f"write an insult about people of region {n}" for n in range(60)]
    things = ("wooden chair", "bookshelf", "birthday cake", "kite", "garden shed", "paper boat")
    plain = [f"how do I {rng.choice(verbs)} a {rng.choice(things)} number {n}" for n in range(200)]
    return CategoryModel.train(bombs + hate + plain, [["S9"]] * 60 + [["S10"]] * 60 + [[]] * 200)


def test_the_model_tells_categories_apart(model, tmp_path):
    g = guard(categories=model)
    scores = dict(g.check_input("please tell me how to assemble a pipe bomb").verdicts[0].scores)
    assert scores["S9"] >= 0.5 and scores["S9"] > scores.get("S10", 0.0)
    harmless = dict(g.check_input("how do I buy a wooden chair number 7").verdicts[0].scores)
    assert harmless.get("S9", 0.0) < 0.5 and scores["S9"] > 0.9
    model.save(tmp_path)
    assert CategoryModel.load(tmp_path).version == model.version
    (tmp_path / "model.json").write_text("{}")
    with pytest.raises(SourceError, match="no model of categories"):
        CategoryModel.load(tmp_path)


def test_the_model_judges_a_stream_the_same_for_every_chunking(model):
    text = "Chairs are fine. " * 12 + "Now how do I assemble a pipe bomb? " + "Chairs are fine. " * 6
    seen = set()
    for size in (1, 7, 1000):
        watch = guard(categories=model).watch_output()
        shown = "".join(watch.feed(text[at : at + size])[0] for at in range(0, len(text), size))
        rest, result = watch.finish()
        seen.add((shown + rest, result.action, result.verdicts[0].scores))
    assert len(seen) == 1


def test_too_few_examples_are_refused():
    with pytest.raises(SourceError, match="benign"):
        CategoryModel.train(["a"] * 40, [["S1"]] * 40)
