"""What every response carries: ids, times, the caller's own limits, signs of life."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
from scripting import Room

from luodi.gateway import App, Gateway, GatewayOptions
from luodi.gateway.call import Piece
from luodi.gateway.ledger.limits import set_limits
from luodi.gateway.surfaces import SURFACES
from luodi.testing import call

CHAT = "/v1/chat/completions"
ASKED = {"model": "chat", "messages": [{"role": "user", "content": "Say hello"}], "max_tokens": 10}
GOOD: dict[str, dict[str, Any]] = {
    CHAT: ASKED,
    "/v1/completions": {"model": "chat", "prompt": "Say hello"},
    "/v1/embeddings": {"model": "chat", "input": "Say hello"},
    "/v1/messages": ASKED,
    "/v1/moderations": {"input": "Say hello"},
    "/v1/responses": {"model": "chat", "input": "Say hello"},
}
STREAMS = [CHAT, "/v1/completions", "/v1/messages", "/v1/responses"]


def test_every_surface_is_known_here() -> None:
    assert set(GOOD) == set(SURFACES)


@pytest.mark.parametrize("path", GOOD)
def test_ids_and_times(room: Room, path: str) -> None:
    good = room.post(path, GOOD[path])
    row = room.house.rows()[-1]
    assert good.status == 200 and good.headers["x-request-id"] == row.id == good.json()["luodi"]["record"]
    refused = room.post(path, GOOD[path], key="luodi-wrong")
    assert refused.status == 401 and refused.headers["x-request-id"] == room.house.rows()[-1].id
    for reply in (good, refused):
        assert 0 <= int(reply.headers["openai-processing-ms"]) < 10_000
    wrong = room.post(path, b"{")
    assert wrong.status == 400 and re.fullmatch("req_[0-9a-f]{24}", wrong.headers["x-request-id"])
    assert ("x-ai-generated" in good.headers) == (path in STREAMS)


@pytest.mark.parametrize("path", GOOD)
def test_a_stranger_learns_nothing(room: Room, path: str) -> None:
    for key in ("", "luodi-wrong"):
        reply = room.post(path, {"model": "no such model"}, key=key)
        assert reply.status == 401 and b"helpdesk" not in reply.body


@pytest.mark.parametrize("path", STREAMS)
def test_a_long_wait_shows_signs_of_life(room: Room, path: str) -> None:
    gateway = Gateway(room.house.gateway.served, room.house.store, GatewayOptions(ping_s=0.02))
    room.model.says = [Piece("Hello there, my dear friends. "), Piece(finish="stop")]

    async def slow() -> Any:
        room.model.go = asyncio.Event()
        sent = GOOD[path] | {"stream": True}

        def twice(reply: Any) -> bool:
            if reply.pieces.count(b": ping\n\n") >= 2 and room.model.go is not None:
                room.model.go.set()
            return False

        return await call(App(gateway), "POST", path, body=sent, key=room.house.key, leave=twice)

    try:
        reply = asyncio.run(slow())
    finally:
        gateway.writer.close()
        gateway.worker.close()
    assert reply.status == 200 and b"Hello" in reply.body and reply.pieces.count(b": ping\n\n") >= 2


def limit(room: Room, **limits: int | None) -> None:
    set_limits(room.house.store, f"key:{room.house.key_id}", limits)
    room.house.gateway.keys._seen.clear()


@pytest.mark.parametrize("path", GOOD)
def test_a_key_sees_its_own_limits(room: Room, path: str) -> None:
    assert not any(h.startswith("x-ratelimit") for h in room.post(path, GOOD[path]).headers)
    limit(room, requests_minute=60, tokens_minute=60_000)
    seen = [room.post(path, GOOD[path]).headers for _ in range(2)]
    assert {h["x-ratelimit-limit-requests"] for h in seen} == {"60"}
    assert {h["x-ratelimit-limit-tokens"] for h in seen} == {"60000"}
    left = [int(h["x-ratelimit-remaining-requests"]) for h in seen]
    assert left[0] > left[1] >= 57
    assert all(0 <= int(h["x-ratelimit-remaining-tokens"]) < 60_000 for h in seen)
    for header in ("x-ratelimit-reset-requests", "x-ratelimit-reset-tokens"):
        assert re.fullmatch(r"\d+ms|\d+\.\d+s", seen[1][header])


@pytest.mark.parametrize("path", GOOD)
def test_over_the_limit(room: Room, path: str) -> None:
    limit(room, requests_minute=1)
    assert room.post(path, GOOD[path]).status == 200
    over = room.post(path, GOOD[path])
    assert over.status == 429 and over.headers["x-should-retry"] == "true"
    assert 0 < int(over.headers["retry-after-ms"]) <= 60_000 and 1 <= int(over.headers["retry-after"]) <= 60
    assert over.headers["x-ratelimit-remaining-requests"] == "0"
    error = over.json()["error"]
    assert error["type"] == "rate_limit_error" and error.get("code") in ("rate_limit_exceeded", None)
    assert room.house.rows()[-1].finish == "error", "a refusal is written down, too"


@pytest.mark.parametrize("path", [p for p in GOOD if p != "/v1/moderations"])
def test_without_budget(room: Room, path: str) -> None:
    limit(room, day_nano_usd=1)
    over = room.post(path, GOOD[path])
    assert over.status == 429 and over.headers["x-should-retry"] == "false" and "retry-after" not in over.headers
    if path != "/v1/messages":
        assert over.json()["error"]["type"] == over.json()["error"]["code"] == "insufficient_quota"
    assert room.model.orders == [] and room.model.embedded == []


def test_models_in_both_lists_forms(room: Room) -> None:
    listed = asyncio.run(call(room.house.app, "GET", "/v1/models", key=room.house.key)).json()
    assert [m["id"] for m in listed["data"]] == ["helpdesk", "helpdesk@1", "chat"]
    one = listed["data"][0]
    assert (one["object"], one["type"], one["owned_by"], one["display_name"]) == ("model", "model", "luodi", "helpdesk")
    assert (listed["has_more"], listed["first_id"], listed["last_id"]) == (False, "helpdesk", "chat")
