import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from luodi.guard import KINDS, planted
from luodi.guard.privacy import Privacy, PrivacyPolicy
from luodi.guard.vault import Vault, restore

TEXT = "Anna: li@qq.com, 13800138000, 36.112.4.5, 京A12345."


def test_each_type_has_its_disposition():
    policy = PrivacyPolicy(default="mask", kinds={"email": "pseudonym", "ip": "keep", "cn_plate": "drop"})
    vault = Vault()
    text, items = Privacy(policy).apply(TEXT, vault)
    assert text.startswith("Anna: [EMAIL_") and text.endswith("], [PHONE], 36.112.4.5, .")
    assert [item.kind for item in items] == ["email", "phone", "ip", "cn_plate"]
    assert restore(text, vault) == "Anna: li@qq.com, [PHONE], 36.112.4.5, ."
    assert all(vault.given(item) for item in items), "also what has no placeholder is known to come from the caller"
    assert Privacy(policy).drops(items) and not Privacy(PrivacyPolicy()).drops(items)


def test_a_pseudonym_without_a_vault_is_a_mask():
    assert Privacy(PrivacyPolicy(default="pseudonym")).apply("13800138000")[0] == "[PHONE]"


def test_a_city_is_kept_unless_the_policy_names_it():
    assert PrivacyPolicy(default="drop").of("location") == "keep"
    assert PrivacyPolicy(kinds={"location": "mask"}).of("location") == "mask"


def test_scores_below_the_threshold_do_not_count():
    assert Privacy(PrivacyPolicy(threshold=0.99)).apply(TEXT)[1] == []
    assert len(Privacy(PrivacyPolicy(threshold=0.9)).find(TEXT)) < 4


@pytest.mark.parametrize(
    "wrong", [{"kinds": {"shoe": "mask"}}, {"engines": ("oracle",)}, {"default": "hide"}, {"x": 1}]
)
def test_what_nobody_knows_is_refused_with_what_is_known(wrong):
    with pytest.raises(ValidationError, match=r"known|Input should be|Extra"):
        PrivacyPolicy(**wrong)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([1, 4, 40]))
def test_a_stream_is_treated_as_the_whole_text(seed, most):
    rng = random.Random(seed)
    choices = ["mask", "drop", "pseudonym", "keep"]
    policy = PrivacyPolicy(
        default=rng.choice(choices),
        kinds={kind: rng.choice(choices) for kind in rng.sample(KINDS, 6)},
        threshold=rng.choice([0.0, 0.5, 0.7, 0.9]),
    )
    privacy = Privacy(policy)
    text = rng.choice([" ", "\n", "，"]).join(row[0] for row in rng.sample(planted(rng, len(KINDS)), 6))
    whole = privacy.apply(text, Vault(b"k" * 32))
    hold, out, place = privacy.watch(Vault(b"k" * 32)), [], 0
    while place < len(text):
        size = rng.randint(1, most)
        out.append(hold.feed(text[place : place + size]))
        place += size
    assert ("".join([*out, hold.finish()]), hold.items) == whole
