"""Every change by the admin API is a row of the log with who made it; and what is wrong changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from desks import PASSWORD

from luodi.gateway.admin.table import TABLE
from luodi.release import Registry
from luodi.store.audit import verify
from luodi.testing import tiny_release

pytestmark = pytest.mark.usefixtures("quick_hashes")


def last(desk: Any, kind: str) -> tuple[str, str]:
    """(actor, subject) of the newest row of a kind."""
    row = desk.log(kind)[-1]
    return row["actor"], row["subject"]


def test_every_change_is_found_in_the_log(desk: Any) -> None:
    store, admin = desk.store, desk.ids["admin"]
    seen: set[str] = set()

    def changed(kind: str, subject: str, method: str, path: str, body: Any = None) -> Any:
        before = len(desk.log())
        answer = desk.change(method, path, body)
        assert last(desk, kind) == (admin, subject or answer["id"]), kind
        assert len(desk.log()) == before + 1, "one row for one change"
        seen.add(kind)
        return answer

    person = {"name": "anna", "role": "reviewer", "password": PASSWORD}
    changed("person.added", "person:anna", "POST", "/admin/people", person)
    changed("person.role", "person:anna", "PATCH", "/admin/people/anna", {"role": "auditor"})
    changed("person.team", "person:anna", "PATCH", "/admin/people/anna", {"team": "law"})
    changed("person.disabled", "person:anna", "PATCH", "/admin/people/anna", {"disabled": True})
    changed("person.enabled", "person:anna", "PATCH", "/admin/people/anna", {"disabled": False})
    changed("person.password", "person:anna", "PUT", "/admin/people/anna/password", {"password": PASSWORD + "!"})
    made = changed("key.made", "", "POST", "/admin/keys", {"owner": "shop", "team": "shop", "days": 30})
    changed("key.rotated", made["id"], "POST", f"/admin/keys/{made['id']}/rotate")
    changed("key.forgiven", made["id"], "POST", f"/admin/keys/{made['id']}/forgive")
    changed("key.revoked", made["id"], "DELETE", f"/admin/keys/{made['id']}")
    changed("limits.set", "project", "PUT", "/admin/limits/project", {"requests_minute": 1000})
    tiny_release(store)
    Registry(store).move(Registry(store).find("helpdesk@1"), "live", "test")
    changed("release.candidate", "helpdesk@1", "POST", "/admin/releases/helpdesk@1/promote", {"channel": "candidate"})
    changed("release.canary", "helpdesk@2", "POST", "/admin/releases/helpdesk@2/promote", {"channel": "canary"})
    shadow = {"kind": "shadow", "arms": [{"release": "helpdesk@2", "share": 0.5}]}
    plan = changed("experiment.started", "", "POST", "/admin/experiments", shadow)
    assert desk.get(f"/admin/experiments/{plan['id']}")["findings"] is not None
    changed("experiment.stopped", plan["id"], "POST", f"/admin/experiments/{plan['id']}/stop")
    changed("release.live", "helpdesk@2", "POST", "/admin/releases/helpdesk@2/promote")
    changed("release.rollback", "helpdesk@1", "POST", "/admin/releases/helpdesk/rollback")
    record = desk.ask()
    desk.change("POST", f"/v1/records/{record}/review", {"note": "no"}, role="user")
    seen.add("review.asked")
    desk.change("POST", f"/v1/records/{record}/feedback", {"good": False}, role="user")
    seen.add("feedback")
    assert last(desk, "feedback") == (desk.ids["user"], record)
    assert last(desk, "review.asked") == (desk.ids["user"], record)
    desk.get(f"/admin/reviews/{record}")
    assert last(desk, "content.read") == (admin, record)
    changed("review.decided", record, "POST", f"/admin/reviews/{record}", {"decision": "upheld"})
    told = {kind for entry in TABLE for kind in entry.log}
    assert told - seen == {"session.began", "session.refused", "session.ended", "content.read"}
    assert PASSWORD not in str(desk.log()) and made["key"] not in str(desk.log())
    assert verify(store).ok


def test_secrets_are_shown_once(desk: Any) -> None:
    made = desk.change("POST", "/admin/keys", {"owner": "shop"})
    assert made["key"].startswith("luodi-") and made["key"] not in str(desk.get("/admin/keys"))
    again = desk.change("POST", f"/admin/keys/{made['id']}/rotate", {"overlap_s": 0})
    assert desk.send("GET", "/admin/session", key=again["key"]).json()["key_id"] == made["id"]
    assert desk.send("GET", "/admin/session", key=made["key"]).status == 401
    desk.change("POST", "/admin/people", {"name": "anna", "role": "user", "password": PASSWORD})
    assert "argon2" not in str(desk.get("/admin/people")) and "password" not in str(desk.get("/admin/people"))


def test_limits_hold_for_the_next_call(desk: Any) -> None:
    user = desk.ids["user"]
    path = f"/admin/limits/key:{user}"
    assert desk.change("PUT", path, {"requests_minute": 0, "day_nano_usd": 5}, role="operator")["requests_minute"] == 0
    desk.gateway.keys._seen.clear()
    body = {"model": "helpdesk", "messages": [{"role": "user", "content": "How?"}]}
    assert desk.send("POST", "/v1/chat/completions", role="user", body=body).status == 429
    assert desk.change("PUT", path, {"concurrent": 3}) == {
        "scope": f"key:{user}", "requests_minute": None, "tokens_minute": None, "concurrent": 3,
        "day_nano_usd": None, "month_nano_usd": None,
    }, "what is left out is unlimited"  # fmt: skip
    assert desk.get(path)["concurrent"] == 3 and desk.get("/admin/limits/team:a/b")["concurrent"] is None
    desk.gateway.keys._seen.clear()
    desk.ask()
    used = {u["scope"]: u for u in desk.get("/admin/usage", role="operator")["data"]}
    assert used[f"key:{user}"]["calls"] == 1 and used[f"key:{user}"]["owner"] == "the user"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/admin/keys", {}),
        ("POST", "/admin/keys", {"owner": "x", "role": "root"}),
        ("POST", "/admin/keys", {"owner": "x", "days": -1}),
        ("POST", "/admin/keys", {"owner": "x", "days": "1"}),
        ("POST", "/admin/keys", {"owner": "x", "days": 1e300}),
        ("POST", "/admin/keys", {"owner": "x", "admin": True}),
        ("POST", "/admin/keys", {"owner": "x\0y"}),
        ("POST", "/admin/keys", {"owner": ["x"]}),
        ("POST", "/admin/keys", {"owner": "x", "team": "队" * 60}),
        ("POST", "/admin/keys", {"owner": "x" * 201}),
        ("POST", "/admin/keys", []),
        ("POST", "/admin/keys", b"{"),
        ("POST", "/admin/keys", b"\xff\xfe"),
        ("POST", "/admin/keys", b'{"owner": "\\ud800"}'),
        ("POST", "/admin/keys", b"[" * 60_000),
        ("POST", "/admin/keys", b'{"owner": NaN}'),
        ("PUT", "/admin/limits/project", {"requests_minute": -1}),
        ("PUT", "/admin/limits/project", {"requests_minute": 1.5}),
        ("PUT", "/admin/limits/project", {"requests_minute": True}),
        ("PUT", "/admin/limits/project", {"day_nano_usd": 10**30}),
        ("PUT", "/admin/limits/nothing", {}),
        ("PUT", "/admin/limits/team:", {}),
        ("PUT", "/admin/limits/team:" + "x" * 200, {}),
        ("POST", "/admin/people", {"name": "anna", "role": "user", "password": "short"}),
        ("POST", "/admin/people", {"name": "a/b", "role": "user", "password": PASSWORD}),
        ("POST", "/admin/people", {"name": "anna", "role": "root", "password": PASSWORD}),
        ("POST", "/admin/experiments", {"kind": "ab", "arms": []}),
        ("POST", "/admin/experiments", {"kind": "ab", "arms": [{"release": "helpdesk@1", "share": 0.1}]}),
        ("POST", "/admin/experiments", {"kind": "canary", "arms": [{"release": "no@1"}]}),
        ("POST", "/admin/experiments", {"kind": "canary", "arms": [{"release": "helpdesk@1"}], "alpha": 1}),
        ("POST", "/admin/releases/helpdesk@1/promote", {"channel": "previous"}),
    ],
)
def test_what_is_wrong_is_said_and_changes_nothing(desk: Any, method: str, path: str, body: Any) -> None:
    rows = len(desk.log())
    reply = desk.send(method, path, role="admin", body=body)
    assert reply.status == 400, reply.body
    error = reply.json()["error"]
    assert error["type"] == "invalid_request_error" and error["message"] and PASSWORD not in error["message"]
    assert len(desk.log()) == rows


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/admin/keys/nokey/rotate"), ("DELETE", "/admin/keys/%25"), ("DELETE", "/admin/keys/"),
        ("PUT", "/admin/limits/key:nokey"), ("PATCH", "/admin/people/nobody"), ("GET", "/admin/experiments/e"),
        ("POST", "/admin/releases/nothing@1/promote"), ("POST", "/admin/releases/helpdesk/rollback"),
        ("GET", "/v1/records/rec_none"), ("GET", "/v1/records/rec_%25/why"), ("GET", "/admin/records/"),
    ],
)  # fmt: skip
def test_what_is_not_there(desk: Any, method: str, path: str) -> None:
    body = {"team": "x"} if method == "PATCH" else {}
    reply = desk.send(method, path, role="admin", body=body)
    assert reply.status == 404, reply.body


def test_a_prefix_of_an_id_names_nothing(desk: Any) -> None:
    record = desk.ask()
    for path in (f"/v1/records/{record[:-1]}", f"/admin/keys/{desk.ids['user'][:-1]}/rotate"):
        method = "GET" if "records" in path else "POST"
        assert desk.send(method, path, role="admin").status == 404


def test_a_release_that_was_changed_is_not_promoted(desk: Any) -> None:
    release = tiny_release(desk.store)
    path = desk.store.artifacts.get(release.digest).files / "policy.json"
    path.chmod(0o644)
    path.write_text("{}")
    reply = desk.send("POST", "/admin/releases/helpdesk@2/promote", role="operator", body={})
    assert reply.status == 409 and "policy.json" in reply.json()["error"]["message"]


def test_a_store_that_fails_is_no_mistake_of_the_caller(
    desk: Any, monkeypatch: pytest.MonkeyPatch, open_desk: Callable[..., Any]
) -> None:
    from luodi.errors import StoreError
    from luodi.gateway.admin.endpoints import keys

    def broken(*_: Any) -> None:
        raise StoreError("the database could not be used: disk I/O error at /secret/path")

    monkeypatch.setattr(desk.gateway.keys, "all", broken)
    reply = desk.send("GET", "/admin/keys", role="admin")
    assert reply.status == 503 and "secret" not in reply.body.decode()
    monkeypatch.setattr(desk.gateway.keys, "all", lambda: keys.nothing)  # type: ignore[attr-defined]
    reply = desk.send("GET", "/admin/keys", role="admin")
    assert (reply.status, reply.json()["error"]["type"]) == (500, "internal_error")
