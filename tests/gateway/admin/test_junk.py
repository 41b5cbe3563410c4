"""Junk in paths, queries, headers and bodies of every route: an error object of the 4xx kind, never a mistake of ours."""

from __future__ import annotations

import asyncio
import json
import random
import re
from typing import Any

import pytest

from luodi.gateway.admin.table import TABLE, Entry
from luodi.testing import call

JUNK: list[Any] = [
    "", " ", "'", '"', "%", "_", "\\", ";--", "a" * 5000, "\n", "\r\nX: 1", "\0", "😀", "\u202e", "../..", "{}", "null",
    None, True, False, 0, -1, 1.5, 1e308, 10**40, [], {}, [[]], {"a": {"b": []}}, "@", "helpdesk@", "helpdesk@live",
    "project", "key:", "team:'", "anna", "rec_", "upheld", "live", "admin",
]  # fmt: skip
GOOD: dict[str, list[Any]] = {
    "name": ["anna", "bert"], "role": ["user", "auditor"], "password": ["four plain words here"], "owner": ["x"],
    "decision": ["upheld", "overturned"], "channel": ["live", "canary"], "kind": ["ab", "canary", "shadow"],
    "arms": [[{"release": "helpdesk@1", "share": 0.5}], [{"release": "x"}]], "days": [1.5], "disabled": [True, False],
}  # fmt: skip
QUERY = ["cursor", "limit", "state", "outcome", "release", "key", "kind", "actor", "subject", "from_ms", "to_ms", "x"]


def body(rng: random.Random, entry: Entry) -> Any:
    if rng.random() < 0.1:
        return rng.choice(
            [b"", b"\xff", b"{", b"[]", b"nul", b'{"a":1,"a":2}', b"[" * 500, b"\x00" * 50, b"x" * 70_000]
        )
    names = list(entry.body.model_fields) if entry.body else []
    found = {}
    for name in names:
        if rng.random() < 0.8:
            found[name] = rng.choice(GOOD.get(name, JUNK) if rng.random() < 0.7 else JUNK)
    return found


def query(rng: random.Random) -> bytes:
    parts = []
    for _ in range(rng.choice([0, 0, 0, 1, 2, 3])):
        value = rng.choice([str(rng.choice(JUNK))[:50], "%ff", "%00", "9" * 30, "+", "&&="])
        parts.append(f"{rng.choice(QUERY)}={value}")
    return "&".join(parts).encode("ascii", "xmlcharrefreplace")


@pytest.mark.usefixtures("quick_hashes")
@pytest.mark.parametrize("seed", range(4))
def test_junk(desk: Any, seed: int) -> None:
    rng = random.Random(seed)
    record = desk.ask()
    desk.change("POST", f"/v1/records/{record}/review", {"note": "no"}, role="user")

    async def send(n: int) -> None:
        entry = TABLE[n % len(TABLE)]
        parts = [
            record,
            record,
            desk.ids["user"],
            "helpdesk@1",
            "project",
            "anna",
            desk.ids["user"],
            *(str(j)[:300] for j in JUNK),
        ]
        path = re.sub(r"\{(\w+)(:path)?\}", lambda m: rng.choice(parts), entry.path)
        headers = [
            (b"cookie", rng.choice([b"", b"luodi-session=\xff", b"luodi-session=" + b"x" * 5000, b"=;=;"])),
            (b"origin", rng.choice([b"http://h", b"null", b"http://[", b"\xff"])),
            (b"host", b"h"),
            (b"content-type", b"application/json"),
            (b"content-length", rng.choice([*[b""] * 20, b"-1", b"x", b"1e9", b"\xb2", b"9" * 50])),
            (b"x-forwarded-proto", rng.choice([b"https", b"\xff", b",,"])),
        ]
        key = desk.keys["admin"] if rng.random() < 0.9 else rng.choice(["", "\xff", "luodi-" + "x" * 4000])
        sent = body(rng, entry)
        reply = await call(desk.app, entry.method, path, key=key, body=sent, query=query(rng), headers=headers)
        about = (entry.method, path, sent, reply.body[:300])
        assert reply.status < 500, about
        told = json.loads(reply.body)
        assert reply.status < 400 or set(told["error"]) == {"message", "type", "param", "code"}, about

    async def all_of_them() -> None:
        for n in range(len(TABLE) * 12):
            await send(n)

    asyncio.run(all_of_them())
