import random
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luodi.guard import KINDS, HoldBack, find_personal, mask, planted
from luodi.guard.item import PersonalItem
from luodi.guard.vault import Restorer, Vault, restore

PLACEHOLDER = re.compile(r"\[[A-Z_]+_[B-Z]{8}\]")


def item(text, kind="phone"):
    return PersonalItem(kind, 0, len(text), text, 1.0)


def pieces(text, rng, most):
    place = 0
    while place < len(text):
        size = rng.randint(1, most)
        yield text[place : place + size]
        place += size


def hidden(text, vault):
    return mask(text, None, vault.hide)[0]


def test_one_value_has_one_placeholder_in_a_conversation_and_another_elsewhere():
    ours, theirs = Vault(), Vault()
    first = ours.hide(item("13800138000"))
    assert PLACEHOLDER.fullmatch(first) and first.startswith("[PHONE_")
    assert ours.hide(item("13800138000")) == first != ours.hide(item("13800138001"))
    assert theirs.hide(item("13800138000")) != first
    assert restore(first, ours) == "13800138000"
    assert restore(first, theirs) == first, "another conversation's placeholder stays as it is"


def test_the_key_names_the_placeholders_so_a_conversation_goes_on_anywhere():
    first = Vault()
    name = first.hide(item("li@qq.com", "email"))
    again = Vault(first.secret, dict(first.fresh))
    assert again.hide(item("li@qq.com", "email")) == name
    assert not again.fresh, "what is kept is not kept twice"
    assert Vault(first.secret).hide(item("li@qq.com", "email")) == name


@pytest.mark.parametrize(
    ("form", "shown"),
    [
        ("{}", "V"), ("{} and {}", "V and V"), ("“{}”", "“V”"), ("[{}]", "[V]"), ("【{}】", "【V】"), ("`{}`", "`V`"),
        ("{low}", "V"), ("{bare}", "V"), ("to {bare}.", "to V."), ("({lowbare})", "(V)"), ("{escaped}", "V"),
        ("**{escaped}**", "**V**"), ("打给{bare}吧", "打给V吧"), ("[{bare} now]", "[V now]"), ("x{}y", "xVy"),
        ("x{bare}", "x{bare}"), ("{bare}s", "{bare}s"), ("{bare}_1", "{bare}_1"),
    ],
)  # fmt: skip
def test_a_placeholder_comes_back_however_a_model_writes_it(form, shown):
    vault = Vault()
    name = vault.hide(item("V", "cn_id_card"))
    bare = name[1:-1]
    parts = {"low": name.lower(), "bare": bare, "lowbare": bare.lower(), "escaped": name.replace("_", "\\_")}
    text = form.format(name, name, **parts)
    wanted = shown.format(**parts)
    assert restore(text, vault) == wanted
    for cut in range(len(text) + 1):
        back = Restorer(vault)
        assert back.feed(text[:cut]) + back.feed(text[cut:]) + back.finish() == wanted


@st.composite
def answers(draw):
    """A vault, and a text full of its placeholders, whole, repeated, broken and foreign."""
    rng = random.Random(draw(st.integers(0, 2**32)))
    vault, other = Vault(b"k" * 32), Vault(b"o" * 32)
    names = [vault.hide(item(f"value {n}", rng.choice(KINDS))) for n in range(5)]
    names.append(other.hide(item("theirs")))
    parts = []
    for _ in range(draw(st.integers(1, 12))):
        name = rng.choice(names)
        parts.append(
            rng.choice(
                [name, name, name[1:-1], name.lower(), name[: rng.randint(1, len(name))], name[rng.randint(1, 9) :],
                 name.replace("_", "\\_"), "[", "]", "_", "\\", "a" * rng.randint(1, 100), "[" * 3, "。", " ", "\ud800"]
            )
        )  # fmt: skip
    return vault, "".join(parts), rng


@settings(max_examples=300, deadline=None)
@given(answers(), st.sampled_from([1, 2, 5, 30]))
def test_restoring_a_stream_gives_what_restoring_the_whole_gives(made, most):
    vault, text, rng = made
    back = Restorer(vault)
    assert "".join([*map(back.feed, pieces(text, rng, most)), back.finish()]) == restore(text, vault)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([1, 4, 40]))
def test_there_and_back_on_streams_in_any_chunks(seed, most):
    rng = random.Random(seed)
    rows = planted(rng, len(KINDS))
    text = "\n".join(row[0] for row in [*rng.sample(rows, 5), *rng.sample(rows, 5)])
    whole = Vault(b"k" * 32)
    masked = hidden(text, whole)
    vault = Vault(b"k" * 32)
    hold, back = HoldBack(replace=vault.hide), Restorer(vault)
    inward = "".join([*map(hold.feed, pieces(text, rng, most)), hold.finish()])
    assert inward == masked
    assert not any(value.text in masked for value in find_personal(text))
    assert find_personal(masked) == [], "no detector sees a value in a placeholder"
    assert "".join([*map(back.feed, pieces(masked, rng, most)), back.finish()]) == text


def test_in_json_a_value_is_escaped():
    vault = Vault()
    name = vault.hide(item('a"b\\c\n', "person"))
    back = Restorer(vault, quoted=True)
    assert back.feed(f'{{"to": "{name}\\n"}}') + back.finish() == '{"to": "a\\"b\\\\c\\n\\n"}'


def test_a_full_vault_masks_for_good():
    vault = Vault(limit=2)
    assert [bool(PLACEHOLDER.fullmatch(vault.hide(item(f"{n}")))) for n in range(4)] == [True, True, False, False]
    assert vault.hide(item("3")) == "[PHONE]"
    assert len(vault) == 2


def test_what_was_given_is_known_in_every_spelling():
    vault = Vault()
    vault.hide(item("138 0013 8000"))
    vault.note(item("Li@QQ.com"))
    assert vault.given(item("１３８-0013-8000")) and vault.given(item("li@qq.com"))
    assert not vault.given(item("13800138001"))


@pytest.mark.parametrize("sign", ["[", "a", "_", "a_", "[A_", "\\_", "\ud800", "\0"])
def test_restoring_is_linear_and_bounded(sign):
    vault = Vault()
    vault.hide(item("1"))
    text = sign * (2_000_000 // len(sign))
    begin = time.process_time()
    assert restore(text, vault) == text
    back = Restorer(vault)
    out = []
    for at in range(0, len(text), 20_000):
        out.append(back.feed(text[at : at + 20_000]))
        assert len(back._held) <= 80
    assert "".join([*out, back.finish()]) == text
    assert time.process_time() - begin < 6
