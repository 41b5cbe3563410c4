"""A release that marks its answers says so in policy, reply, label and record, and is not served by what can't mark."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from asking import ask

from luodi.engine.watermark import SCHEME, watermark_of
from luodi.errors import ReleaseError
from luodi.gateway import Gateway, open_release
from luodi.gateway.app import App
from luodi.gateway.labels import find_watermark
from luodi.release import verify
from luodi.store import Store
from luodi.testing import FakeEngine, call, engine_kinds, tiny_release

QUESTION = "How do I make a form field optional?"
GOOD = "Set required=False on the field to make it optional. [1]"


def test_reply_and_record_say_whether_it_was_written(open_house: Callable[..., Any]) -> None:
    house = open_house(FakeEngine(GOOD, marks=True), watermark="kgw")
    key = watermark_of(house.store).key_id
    policy = house.gateway.served.passport["policy"]["labels"]["watermark"]
    assert policy["scheme"] == SCHEME and len(policy["key"]) == 16
    first, again = (asyncio.run(ask(house, QUESTION)).json()["luodi"] for _ in range(2))
    assert first["label"]["watermark"] == {"scheme": SCHEME, "key": key, "written": True}
    assert again["cached"] == "exact" and again["label"]["watermark"]["written"] is True
    assert house.engine.requests[0].watermark is not None
    unknown = asyncio.run(ask(house, "Who won the football match on Mars?")).json()["luodi"]
    assert unknown["kind"] == "abstained" and unknown["label"]["watermark"]["written"] is False
    rows = house.rows()
    assert [row.watermark["written"] for row in rows] == [True, True, False] and rows[0].watermark["key"] == key
    secret = house.store.keys.derive("watermark").hex()
    assert secret not in json.dumps(first) + rows[0].data + json.dumps(house.gateway.served.passport)


def test_without_the_option_nothing_is_said(house: Any) -> None:
    told = asyncio.run(ask(house, QUESTION)).json()["luodi"]
    assert "watermark" not in told["label"] and house.rows()[0].watermark == {}
    assert house.engine.requests[0].watermark is None and "labels" not in house.gateway.served.passport["policy"]


def test_an_engine_that_cannot_is_refused(open_house: Callable[..., Any]) -> None:
    with pytest.raises(ReleaseError, match="lets nobody touch its choice of tokens"):
        open_house(FakeEngine(GOOD), watermark="kgw")


def test_detection_over_http(store: Store, tiny_model: Path) -> None:
    release = tiny_release(store, tokenizer=tiny_model / "tokenizer.json")
    with engine_kinds(fake=lambda folder, *, pick, threads: FakeEngine(GOOD)):
        gateway = Gateway(open_release(verify(release, store)), store)
    app = App(gateway)
    _, key = gateway.keys.create("test")

    def detect(body: Any, secret: str = key) -> Any:
        return asyncio.run(call(app, "POST", "/v1/watermark/detect", key=secret, body=body))

    try:
        told = detect({"text": "Set required=False on the field. " * 3}).json()
        assert told["verdict"] == "too_short" and told["z"] is None and told["scheme"] == SCHEME and "measured" in told
        long = " ".join(f"field {n} is optional" for n in range(200))
        told = detect({"text": long, "release": "helpdesk@1"}).json()
        assert told == find_watermark(store, long).as_dict() | {"measured": told["measured"]}
        assert told["verdict"] in ("found", "not_found") and 0 <= told["p_value"] <= 1
        assert detect({"text": "x", "release": "nobody@1"}).status == 404
        assert detect({}).status == 400 and detect({"text": 1}).status == 400
        assert detect({"text": "x"}, "wrong").status == 401
    finally:
        gateway.close()


def test_no_tokenizer_says_so(house: Any) -> None:
    tiny_release(house.store)
    reply = asyncio.run(call(house.app, "POST", "/v1/watermark/detect", key=house.key, body={"text": "x"}))
    assert reply.status == 409 and "no tokenizer" in reply.json()["error"]["message"]
