"""A label names its record and its release, and nobody without the store's key can write one."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
import yaml
from asking import ask

from luodi.errors import LuodiError
from luodi.gateway.labels import LONGEST, Labels, find_label, read_labelled, with_label
from luodi.store import Store
from luodi.store.audit import erase
from luodi.testing import call

QUESTION = "How do I make a form field optional?"


def _label(house: Any) -> dict[str, Any]:
    return dict(asyncio.run(ask(house, QUESTION)).json()["luodi"]["label"]["AIGC"])


def test_a_reply_is_checked_against_its_record(house: Any) -> None:
    reply = asyncio.run(ask(house, QUESTION)).json()
    label = find_label(json.dumps(reply))
    said = Labels(house.store).check(label)
    assert said.ok and said.record == reply["luodi"]["record"] and said.release == "helpdesk@1"
    assert said.release_digest == house.rows()[-1].release_digest
    front = f"---\n{yaml.safe_dump({'AIGC': label})}---\nan answer"
    assert Labels(house.store).check(find_label(front)).ok


def test_what_was_changed_is_found(house: Any, tmp_path: Any) -> None:
    label, other = _label(house), _label(house)
    labels = Labels(house.store)
    states = [
        labels.check(label | changed).state
        for changed in (
            {"ReservedCode1": other["ReservedCode1"]},
            {"ReservedCode1": label["ReservedCode1"][:-1] + "é"},
            {"ReservedCode1": ""},
            {"ProduceID": "rec_nothing"},
            {"ProduceID": label["ProduceID"][:-1]},
            {"ContentProducer": "helpdesk@2"},
        )
    ]
    assert states == ["forged", "forged", "unsigned", "unknown", "unknown", "other_release"]
    stranger = Labels(Store(tmp_path / "elsewhere"))
    assert stranger.mac("rec_1", "d") != labels.mac("rec_1", "d") == Labels(house.store).mac("rec_1", "d")


BOMB = (
    "---\na0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 30)) + "---\n"
)


@pytest.mark.parametrize("text", ["", "{}", "[" * 100_000, "---\n: [\n---\n", "plain", BOMB, " " * (LONGEST + 1)])
def test_no_label_says_so(text: str) -> None:
    with pytest.raises(LuodiError):
        find_label(text)


def test_over_http(house: Any) -> None:
    label = _label(house)
    sent = {k: label[k] for k in ("ProduceID", "ReservedCode1", "ContentProducer")}

    async def told(more: dict[str, str]) -> Any:
        return await call(house.app, "POST", "/v1/labels/check", key=house.key, body=json.dumps(sent | more).encode())

    assert asyncio.run(told({})).json()["ok"] is True
    assert asyncio.run(told({"ReservedCode1": "luodi1:x"})).json()["state"] == "forged"


def test_the_text_beside_a_label_is_compared_with_what_was_answered(house: Any) -> None:
    reply = asyncio.run(ask(house, QUESTION)).json()
    labels, (label, words) = Labels(house.store), read_labelled(json.dumps(reply))
    assert words == reply["choices"][0]["message"]["content"]
    said = [labels.check(label, text).content for text in (words, f"{words}\r\n", words + "!", "", None)]
    assert said == ["same", "same", "changed", "changed", "unknown"]
    assert labels.check(label | {"ReservedCode1": "luodi1:x"}, words).content == "unknown"
    again, front = read_labelled(with_label(words, label))
    assert again == label and labels.check(again, front).content == "same"
    erase(house.store, ids=[reply["luodi"]["record"]], reason="a test", actor="test")
    assert labels.check(label, words).content == "unknown" and labels.check(label).ok


@pytest.mark.parametrize(
    "reply",
    [
        {"choices": [{"text": "a b"}]},
        {"answer": "a b"},
        {"content": [{"type": "text", "text": "a "}, {"type": "text", "text": "b"}]},
        {"output": [{"content": [{"type": "output_text", "text": "a b"}]}]},
    ],
)
def test_the_words_of_every_surface_are_found(reply: dict[str, Any]) -> None:
    assert read_labelled(json.dumps(reply | {"AIGC": {"Label": "1"}}))[1] == "a b"


def test_words_of_no_known_form_are_none() -> None:
    for reply in ({"choices": "x"}, {"choices": [1]}, {"content": {}}, {"output": [{"content": 3}]}):
        assert read_labelled(json.dumps(reply | {"AIGC": {"Label": "1"}}))[1] is None


def test_rows_of_answers_have_a_label_for_exports(house: Any) -> None:
    label = _label(house)
    row = json.loads(house.rows()[-1].data)
    assert Labels(house.store).of_row(row) == label
    assert Labels(house.store).of_row(row | {"task": "embed"}) is None and Labels(house.store).of_row({}) is None
