"""Checks of what an answer gives away: personal data that nobody gave, training text, and engines that do not run."""

import random
import sys

import pytest

from luodi.guard import About, CheckPolicy, Guard, GuardPolicy, find_personal
from luodi.guard import entities as engines
from luodi.guard.privacy import PrivacyPolicy
from luodi.guard.training_text import TrainingText
from luodi.guard.vault import Vault

LEARNT = " ".join(f"word{n}" for n in range(80))
OPEN = CheckPolicy(threshold=0.5, action="block", on_missing="allow")


def guard(*output, training=None, **checks):
    policy = GuardPolicy(input=(), untrusted=(), output=output, checks=checks)
    return Guard(policy, training=training)


def about(*given, shown=()):
    vault = Vault()
    for text in given:
        for item in find_personal(text):
            vault.note(item)
    return About(vault=vault, shown=shown)


def stream(watch, text, seed=0):
    rng, place = random.Random(seed), 0
    while place < len(text):
        size = rng.randint(1, 9)
        _, ended = watch.feed(text[place : place + size])
        if ended is not None:
            return ended, place
        place += size
    return watch.finish()[1], place


def test_values_that_the_caller_gave_are_no_disclosure():
    made = guard("disclosure")
    told = made.check_output("Call 138-0013-8000 or li@qq.com.", about("13800138000")).verdicts[0]
    assert (told.ran, told.action, told.category, told.detail) == (True, "log", "email", "1 email")
    assert made.check_output("Call 138-0013-8000.", about("13800138000")).verdicts[0].action == "allow"
    assert not made.check_output("Call 138-0013-8000.").verdicts[0].ran, "nothing is known of what was given"


@pytest.mark.parametrize("seed", range(5))
def test_a_disclosure_may_end_the_answer_while_it_streams(seed):
    made = guard("disclosure", disclosure=OPEN)
    text = "You wrote from 13800138000. Another customer is at li@qq.com, " + "and so on. " * 50
    ended, place = stream(made.watch_output(about("13800138000")), text, seed)
    assert ended.stops and ended.decisive.detail == "1 email" and place < 80
    assert "personal data" in made.refusal(ended, "en")
    calm, _ = stream(made.watch_output(about(text)), text, seed)
    assert calm.action == "allow"


@pytest.mark.parametrize("seed", range(5))
def test_training_text_may_end_the_answer(seed):
    made = guard("repetition", training=TrainingText.build([LEARNT]), repetition=OPEN)
    said = "I remember: " + LEARNT
    ended, place = stream(made.watch_output(), said, seed)
    assert ended.stops and place < len(said) / 2 and "repeats" in made.refusal(ended, "en")
    quoted, _ = stream(made.watch_output(about(shown=(LEARNT,))), said, seed)
    assert quoted.action == "allow"
    assert made.check_output(said).stops
    assert not made.check_output("word1 word2 word3 and some more words of my own").stops


def test_without_an_index_nothing_is_said_of_training_text():
    told = guard("repetition").check_output(LEARNT).verdicts[0]
    assert (told.ran, told.action) == (False, "allow")


def test_an_engine_that_does_not_run_closes_the_door_or_is_told(monkeypatch):
    monkeypatch.setattr(engines, "_loaded", {})
    monkeypatch.setitem(sys.modules, "presidio_analyzer", None)
    privacy = PrivacyPolicy(engines=("presidio",))
    closed = Guard(GuardPolicy(input=("names", "personal"), privacy=privacy)).check_input("13800138000")
    assert closed.stops and "presidio" in closed.verdicts[0].detail and not closed.verdicts[0].ran
    opened = {"names": CheckPolicy(threshold=1.0, on_missing="allow")}
    result = Guard(GuardPolicy(input=("names", "personal"), privacy=privacy, checks=opened)).check_input("13800138000")
    assert (result.action, result.text, result.verdicts[0].ran) == ("mask", "[PHONE]", False)
    assert Guard(GuardPolicy(input=("names",))).check_input("x").verdicts[0].ran
