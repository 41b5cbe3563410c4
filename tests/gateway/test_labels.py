"""A label names its record and its release, and nobody without the store's key can write one."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
import yaml
from asking import ask

from luodi.errors import LuodiError
from luodi.gateway.labels import LONGEST, Labels, find_label
from luodi.store import Store
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
