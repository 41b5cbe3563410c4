import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luodi.errors import SourceError
from luodi.guard.training_text import WIDTH, TrainingText

RNG = random.Random(5)
WORDS = ["".join(RNG.choices("abcdefgh", k=RNG.randint(2, 7))) for _ in range(400)]
TEXTS = [" ".join(RNG.choices(WORDS, k=60)) for _ in range(20)] + [
    "退货的商品应当保持完好并在七天之内寄回本店的仓库地址"
]


@pytest.fixture(scope="module")
def index():
    return TrainingText.build(TEXTS)


def test_the_longest_run_is_counted_in_tokens(index):
    learnt = TEXTS[3].split()
    assert index.longest(" ".join(learnt[10:40])) == 30
    assert index.longest("I would say: " + ", ".join(learnt[10:30]).upper() + "! And " + " ".join(learnt[2:11])) == 20
    assert index.longest(" ".join(learnt[: WIDTH - 1])) == 0
    assert index.longest(" ".join(RNG.choices(WORDS, k=500))) == 0
    assert index.longest("请问：商品应当保持完好并在七天之内寄回") == 16
    assert index.longest("") == 0 == TrainingText.build([]).longest(TEXTS[0])


def test_what_the_model_was_shown_is_a_quotation(index):
    learnt = TEXTS[7].split()
    said = " ".join(learnt[:40])
    assert index.longest(said, allowed=[" ".join(learnt[:40])]) == 0
    assert index.longest(said, allowed=[" ".join(learnt[:20])]) == 27, "20 tokens and the seven before that join them"


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([1, 3, 20]))
def test_a_stream_gives_what_the_whole_text_gives(seed, most):
    index = TrainingText.build(TEXTS)
    rng = random.Random(seed)
    parts = []
    for _ in range(rng.randint(1, 5)):
        learnt = rng.choice(TEXTS)
        start = rng.randrange(len(learnt))
        parts += [learnt[start : start + rng.randint(1, 200)], rng.choice(["", " ", "。", "\ud800", "x" * 90])]
    text = "".join(parts)
    watch, place = index.watch([TEXTS[0]]), 0
    while place < len(text):
        size = rng.randint(1, most)
        watch.feed(text[place : place + size])
        place += size
    assert watch.finish() == index.longest(text, [TEXTS[0]])


def test_kept_on_disk(index, tmp_path):
    index.save(tmp_path / "x")
    again = TrainingText.load(tmp_path / "x")
    assert (len(again), again.version) == (len(index), index.version)
    assert again.longest(TEXTS[1]) == 60
    (tmp_path / "x" / "grams.npy").write_bytes(b"no")
    with pytest.raises(SourceError, match="no index of training text"):
        TrainingText.load(tmp_path / "x")


@pytest.mark.parametrize("sign", ["a", "好", "1 ", "\0", "\u202e", "\ud800"])
def test_linear_and_bounded(index, sign):
    text = sign * (400_000 // len(sign))
    begin = time.process_time()
    watch = index.watch()
    for at in range(0, len(text), 20_000):
        watch.feed(text[at : at + 20_000])
        assert len(watch._word) <= 128
    assert watch.finish() == 0
    assert time.process_time() - begin < 6
