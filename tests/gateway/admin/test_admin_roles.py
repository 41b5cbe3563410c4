"""Who may do what: every route with every role and with nobody, by key and by session."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
from desks import ROLES

from luodi.gateway.admin.sessions import Session, _begin, _digest
from luodi.gateway.admin.table import TABLE, Entry
from luodi.store.database import now_ms
from luodi.store.tx import tx_of
from luodi.testing import call

# Written down by hand, and not derived from the table that it checks.
MAY = {
    "GET /admin/openapi.json": "admin operator reviewer auditor user",
    "GET /admin/session": "admin operator reviewer auditor user",
    "DELETE /admin/session": "admin operator reviewer auditor user",
    "PUT /admin/session/password": "admin operator reviewer auditor user",
    "GET /admin/people": "admin",
    "POST /admin/people": "admin",
    "PATCH /admin/people/{name}": "admin",
    "PUT /admin/people/{name}/password": "admin",
    "GET /admin/keys": "admin operator",
    "POST /admin/keys": "admin operator",
    "POST /admin/keys/{key}/rotate": "admin operator",
    "POST /admin/keys/{key}/forgive": "admin operator",
    "DELETE /admin/keys/{key}": "admin operator",
    "GET /admin/limits": "admin operator",
    "GET /admin/limits/{scope:path}": "admin operator",
    "PUT /admin/limits/{scope:path}": "admin operator",
    "GET /admin/usage": "admin operator",
    "GET /admin/releases": "admin operator",
    "POST /admin/releases/{release}/promote": "admin operator",
    "POST /admin/releases/{release}/rollback": "admin operator",
    "GET /admin/experiments": "admin operator",
    "POST /admin/experiments": "admin operator",
    "GET /admin/experiments/{experiment}": "admin operator",
    "POST /admin/experiments/{experiment}/stop": "admin operator",
    "GET /admin/records": "admin auditor",
    "GET /admin/log": "admin auditor",
    "GET /admin/checkpoints": "admin auditor",
    "GET /admin/reviews": "admin reviewer",
    "POST /v1/labels/check": "admin operator reviewer auditor user",
    "POST /v1/watermark/detect": "admin operator reviewer auditor user",
}
# Paths that name a call: of somebody else, before and after it came to wait for a person.
CALLS = {
    "GET /admin/records/{record}": ("admin auditor", "admin auditor reviewer"),
    "GET /admin/reviews/{record}": ("", "admin reviewer"),
    "POST /admin/reviews/{record}": ("", "admin reviewer"),
    "GET /v1/records/{record}": ("admin auditor", "admin auditor reviewer"),
    "GET /v1/records/{record}/why": ("admin auditor", "admin auditor reviewer"),
    "GET /v1/records/{record}/proof": ("admin auditor", "admin auditor"),
    "POST /v1/records/{record}/review": ("", ""),
    "POST /v1/records/{record}/feedback": ("", ""),
}
REFUSED = {401, 403, 404}
ENTRIES = [pytest.param(e, id=f"{e.method} {e.path}") for e in TABLE]


def test_the_table_and_this_list_name_the_same() -> None:
    assert {f"{e.method} {e.path}" for e in TABLE if not e.open} == {*MAY, *CALLS}
    assert [f"{e.method} {e.path}" for e in TABLE if e.open] == ["POST /admin/session"]


def filled_in(entry: Entry, record: str) -> str:
    return re.sub(r"\{(\w+)(:path)?\}", lambda m: record if m[1] == "record" else "none", entry.path)


def allowed(status: int, body: bytes) -> bool:
    """Whether the endpoint itself was reached: it may still say that what was named is not there."""
    return status not in REFUSED or (status == 404 and b"record_not_found" not in body)


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_route_with_every_role_and_with_nobody(desk: Any, entry: Entry) -> None:
    record = desk.ask()  # by a key with the role user; the keys below are others
    _, other = desk.gateway.keys.create("another user")
    keys = {**desk.keys, "user": other}
    path, name = filled_in(entry, record), f"{entry.method} {entry.path}"

    async def reached(key: str) -> bool:
        body = b"{}" if entry.method != "GET" else b""
        reply = await call(desk.app, entry.method, path, key=key, body=body)
        assert reply.headers["content-type"] == "application/json"
        assert reply.headers["cache-control"] == "no-store"
        if reply.status >= 400:
            assert set(reply.json()["error"]) == {"message", "type", "param", "code"}
        return allowed(reply.status, reply.body)

    async def walk() -> str:
        return " ".join([role for role in ROLES if await reached(keys[role])])

    async def strangers() -> list[int]:
        made = [
            await call(desk.app, entry.method, path, key=key, body=b"{}", headers=headers)
            for key, headers in (
                ("", ()),
                ("luodi-no-such-key", ()),
                (
                    "",
                    [
                        (b"cookie", b"luodi-session=" + b"A" * 43),
                        (b"origin", b"http://h"),
                        (b"host", b"h"),
                        (b"x-luodi", b"1"),
                    ],
                ),
            )
        ]
        return [reply.status for reply in made]

    if entry.open:
        assert asyncio.run(strangers())[0] in (400, 401, 403)
        return
    assert asyncio.run(strangers()) == [401, 401, 401]
    if name in MAY:
        assert asyncio.run(walk()).split() == [r for r in ROLES if r in MAY[name].split()]
        return
    before, after = CALLS[name]
    assert asyncio.run(walk()).split() == [r for r in ROLES if r in before.split()]
    desk.change("POST", f"/v1/records/{record}/review", {"note": "no"}, role="user")
    assert asyncio.run(walk()).split() == [r for r in ROLES if r in after.split()]


@pytest.mark.parametrize("entry", [p for p in ENTRIES if not p.values[0].open])
def test_sessions_are_held_to_the_same_table(desk: Any, entry: Entry) -> None:
    """A person of the role user reaches nothing but the session and the description."""
    now = now_ms()
    with desk.store.database.begin() as connection:
        tx = tx_of(connection)
        tx.run(
            "INSERT INTO people (id, name, role, team, password, created_ms, failed, locked_until_ms)"
            " VALUES ('per_1', 'anna', 'user', '', 'x', 0, 0, 0)"
        )
        _begin(tx, Session("per_1", "anna", "user", "", _digest("t" * 43), now, now + 60_000), "", None, now)
    record = desk.ask()
    headers = [(b"cookie", b"luodi-session=" + b"t" * 43), (b"sec-fetch-site", b"same-origin"), (b"x-luodi", b"1")]
    reply = desk.send(entry.method, filled_in(entry, record), headers=headers, body=b"{}")
    open_to_all = MAY.get(f"{entry.method} {entry.path}", "").split() == list(ROLES)
    assert allowed(reply.status, reply.body) == open_to_all, reply.body


@pytest.mark.parametrize("path", ["/admin/nothing", "/admin/keys/a/b", "/v1/records/a/b/c", "/admin/session/x"])
def test_a_path_that_is_not_in_the_table(desk: Any, path: str) -> None:
    assert desk.send("GET", path).status == 401, "a stranger does not learn which paths there are"
    reply = desk.send("GET", path, role="admin")
    assert reply.status == 404 and reply.json()["error"]["code"] == "not_found"


def test_a_method_that_is_not_in_the_table(desk: Any) -> None:
    assert desk.send("PUT", "/admin/keys").status == 401
    for method in ("PUT", "HEAD", "OPTIONS", "PATCH"):
        reply = desk.send(method, "/admin/keys", role="admin")
        assert (reply.status, reply.headers["allow"]) == (405, "GET, POST")


def test_an_operator_does_not_rise_by_a_key_of_others(desk: Any) -> None:
    admin_key = desk.ids["admin"]
    for method, path, body in (
        ("POST", "/admin/keys", {"owner": "me", "role": "admin"}),
        ("POST", "/admin/keys", {"owner": "me", "role": "reviewer"}),
        ("POST", f"/admin/keys/{admin_key}/rotate", {}),
        ("DELETE", f"/admin/keys/{admin_key}", {}),
    ):
        reply = desk.send(method, path, role="operator", body=body)
        assert (reply.status, reply.json()["error"]["code"]) == (403, "admin_only")
    assert desk.change("POST", "/admin/keys", {"owner": "shop"}, role="operator")["role"] == "user"
    assert desk.change("POST", "/admin/keys", {"owner": "x", "role": "auditor"})["role"] == "auditor"


def test_a_revoked_key_is_refused_within_a_second(desk: Any) -> None:
    desk.get("/admin/keys", role="operator")
    desk.gateway.keys.revoke(desk.ids["operator"])
    desk.gateway.keys._seen.clear()  # what is remembered for half a second
    assert desk.send("GET", "/admin/keys", role="operator").status == 401


def test_the_description_names_every_route(desk: Any) -> None:
    told = desk.get("/admin/openapi.json", role="user")
    there = {f"{method.upper()} {path}" for path, methods in told["paths"].items() for method in methods}
    assert there == {f"{e.method} {e.path}".replace(":path", "") for e in TABLE}
    body = told["paths"]["/admin/keys"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body["additionalProperties"] is False and set(body["required"]) == {"owner"}
    ids = [operation["operationId"] for methods in told["paths"].values() for operation in methods.values()]
    assert len(ids) == len(set(ids))
    refs = set(re.findall(r'"#/components/schemas/(\w+)"', str(told).replace("'", '"')))
    assert refs <= set(told["components"]["schemas"])
