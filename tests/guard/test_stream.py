import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luodi.guard import KINDS, HoldBack, mask, planted, synthesize
from luodi.guard.item import PEM_LIMIT, WINDOW

SIGNS = "0123456789 -.()+@:/=AEHXaez_好的京身份证卡号通行护照\n，。！\u3000\u00a0—１＠：\ud800"


def stream(text, sizes, **options):
    hold, out, place, held = HoldBack(**options), [], 0, 0
    while place < len(text):
        size = next(sizes)
        out.append(hold.feed(text[place : place + size]))
        place += size
        held = max(held, hold.held)
    return "".join([*out, hold.finish()]), hold.items, held


@st.composite
def documents(draw):
    rng = random.Random(draw(st.integers(0, 2**32)))
    parts = []
    for _ in range(draw(st.integers(1, 6))):
        parts += draw(
            st.sampled_from(
                [
                    [rng.choice(planted(rng, len(KINDS)))[0]],
                    [synthesize("bank_card", rng), " ", synthesize("phone", rng)],
                    rng.choices(SIGNS, k=rng.randint(1, 60)),
                    ["the passport is "],
                ]
            )
        )
        parts.append(rng.choice(["", " ", "\n", "，", ". ", "-"]))
    return "".join(parts)


@settings(max_examples=150, deadline=None)
@given(documents(), st.integers(0, 2**32), st.sampled_from([1, 3, 9, 60, 500]))
def test_a_stream_gives_what_the_whole_text_gives(text, seed, most):
    rng = random.Random(seed)
    out, items, _ = stream(text, iter(lambda: rng.randint(1, most), 0))
    assert (out, items) == mask(text)


def test_every_split_in_two():
    text = "call +86 138 0013 8000 or li@qq.com; 京A·12345; api_key = 8fK2pQ9xV4mZ7wTb, passport E12345678. "
    whole = mask(text)
    assert len(whole[1]) == 5
    for cut in range(len(text)):
        hold = HoldBack()
        assert hold.feed(text[:cut]) + hold.feed(text[cut:]) + hold.finish() == whole[0]
        assert hold.items == whole[1]


def test_prose_is_held_for_a_word_only():
    for text in (
        "The quick brown fox jumps over the lazy dog, twice. " * 20,
        "今天天气很好，我们去公园散步。" * 40,
    ):
        hold = HoldBack()
        assert max(hold.feed(sign) is not None and hold.held for sign in text) <= 8


def test_a_key_block_is_held_until_its_end_and_a_head_without_one_is_let_go():
    body = "\n".join(["MIIEvQ9" * 9] * 20)
    block = f"-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----"
    hold = HoldBack()
    assert hold.feed(f"Here:\n{block[:-5]}") == "Here:\n"
    assert hold.feed(f"{block[-5:]}\nDone now") == "[SECRET]\nDone "
    prose = "-----BEGIN PRIVATE KEY-----\n" + "the manual says so. " * 1000
    out, items, held = stream(prose, iter(lambda: 50, 0))
    assert (out, items) == (prose, [])
    assert held <= PEM_LIMIT + 50


@pytest.mark.parametrize("sign", ["a", "7", "=", "4111 1111 1111 1111 ", "京"])
def test_the_hold_is_bounded(sign):
    text = sign * (40_000 // len(sign))
    out, _, held = stream(text, iter(lambda: 100, 0))
    assert out == mask(text)[0]
    assert held <= 2 * WINDOW + 100


def test_at_the_cap_what_is_held_leaves_masked():
    """Overlapping candidates without end leave no place to cut; no accepted value may leave in part."""
    from luodi.guard.item import PersonalItem

    def chain(text, start):
        return [
            PersonalItem("phone", place, place + 12, text[place : place + 12], 1.0)
            for place in range(start, len(text) - 12, 6)
        ]

    hold = HoldBack(chain, max_hold=2 * WINDOW)
    out = "".join(hold.feed("7" * 100) for _ in range(100))
    assert hold.held <= 2 * WINDOW
    assert out.count("[PHONE]") > 100
    assert "7" * 12 not in out


def test_a_cap_below_the_window_is_refused():
    with pytest.raises(ValueError, match=str(2 * WINDOW)):
        HoldBack(max_hold=64)


def test_after_finish_a_new_stream_begins():
    hold = HoldBack()
    assert hold.feed("passport ") + hold.finish() == "passport "
    assert hold.feed("E12345678\n") + hold.finish() == "E12345678\n"
