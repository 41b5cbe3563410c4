"""Signing in: locks, ends of sessions, theft, fixation, requests from other sites."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from desks import PASSWORD

from luodi.errors import LuodiError
from luodi.gateway import GatewayOptions
from luodi.gateway.admin import People, Sessions, sessions
from luodi.gateway.admin.access import is_secure, networks
from luodi.gateway.problem import Problem
from luodi.store.audit import verify
from luodi.testing import AsgiReply, call

pytestmark = pytest.mark.usefixtures("quick_hashes")
HERE = [(b"host", b"desk.example"), (b"origin", b"http://desk.example"), (b"content-type", b"application/json")]


def cookie(token: str, name: str = "luodi-session") -> tuple[bytes, bytes]:
    return b"cookie", f"other=1; {name}={token}".encode()


def token_of(reply: AsgiReply) -> str:
    return reply.headers["set-cookie"].partition(";")[0].partition("=")[2]


class Clock:
    """What `now_ms` says, plus what was turned on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.more = 0
        real = sessions.now_ms
        monkeypatch.setattr(sessions, "now_ms", lambda: real() + self.more)

    def turn(self, minutes: float) -> None:
        self.more += int(minutes * 60_000)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def anna(desk: Any) -> People:
    people = People(desk.store)
    people.add("anna", "admin", PASSWORD)
    return people


def sign_in(desk: Any, password: str = PASSWORD, name: str = "anna", headers: Any = (), **more: Any) -> AsgiReply:
    body = {"name": name, "password": password}
    return desk.send("POST", "/admin/session", body=body, headers=[*HERE, *headers], **more)


def who(desk: Any, token: str) -> AsgiReply:
    return desk.send("GET", "/admin/session", headers=[cookie(token)])


def test_a_session_from_its_beginning_to_its_end(desk: Any, anna: People) -> None:
    reply = sign_in(desk, name="ANNA")
    assert reply.status == 200 and reply.json()["role"] == "admin"
    attributes = set(reply.headers["set-cookie"].split("; ")[1:])
    assert attributes == {"Path=/", "Max-Age=43200", "HttpOnly", "SameSite=Strict"}
    token = token_of(reply)
    assert len(token) == 43 and who(desk, token).json()["name"] == "anna"
    with desk.store.database.begin() as connection:
        rows = connection.exec_driver_sql("SELECT * FROM sessions").all()
    assert token not in str(rows) and rows[0][0] == hashlib.sha256(token.encode()).hexdigest()
    out = desk.send("DELETE", "/admin/session", headers=[*HERE, cookie(token)])
    assert out.status == 200 and "Max-Age=0" in out.headers["set-cookie"]
    gone = who(desk, token)
    assert (gone.status, gone.json()["error"]["code"]) == (401, "not_signed_in")
    kinds = [(r["kind"], r["actor"]) for r in desk.log() if r["kind"].startswith("session.")]
    assert kinds == [("session.began", "person:anna"), ("session.ended", "person:anna")]
    assert verify(desk.store).ok


def test_what_lies_in_the_database_is_no_token(desk: Any, anna: People) -> None:
    sign_in(desk)
    with desk.store.database.begin() as connection:
        stolen = connection.exec_driver_sql("SELECT token_hash FROM sessions").scalar()
    assert who(desk, str(stolen)).status == 401


def test_a_token_that_was_brought_along_is_not_taken_over(desk: Any, anna: People) -> None:
    planted = "p" * 43
    token = token_of(sign_in(desk, headers=[cookie(planted)]))
    assert token != planted and who(desk, planted).status == 401
    again = token_of(sign_in(desk, headers=[cookie(token)]))
    assert again != token and who(desk, again).status == 200
    assert who(desk, token).status == 401, "the session before ends"


def test_a_session_ends_after_half_an_hour_of_silence(desk: Any, anna: People, clock: Clock) -> None:
    token = token_of(sign_in(desk))
    for _ in range(3):
        clock.turn(29)
        assert who(desk, token).status == 200
    clock.turn(31)
    assert who(desk, token).status == 401


def test_a_session_ends_after_twelve_hours_however_busy(desk: Any, anna: People, clock: Clock) -> None:
    token = token_of(sign_in(desk))
    for n in range(1, 37):
        clock.turn(20)
        assert who(desk, token).status == (200 if n * 20 < 720 else 401), n
    token_of(sign_in(desk))
    with desk.store.database.begin() as connection:
        count = connection.exec_driver_sql("SELECT count(*) FROM sessions").scalar()
    assert count == 1, "what has ended is swept up with the next one"


@pytest.mark.parametrize(
    "change",
    [
        lambda people: people.change("anna", disabled=True),
        lambda people: people.change("anna", role="user"),
        lambda people: people.set_password("anna", "another four words"),
    ],
)
def test_disabling_a_new_role_and_a_new_password_end_sessions(desk: Any, anna: People, change: Any) -> None:
    token = token_of(sign_in(desk))
    change(anna)
    assert who(desk, token).status == 401


def test_a_disabled_person_does_not_sign_in(desk: Any, anna: People) -> None:
    anna.change("anna", disabled=True)
    refused = sign_in(desk)
    assert refused.status == 401 and "set-cookie" not in refused.headers
    anna.change("anna", disabled=False)
    assert sign_in(desk).status == 200


def test_five_wrong_passwords_lock_a_name_and_each_is_logged(desk: Any, anna: People, clock: Clock) -> None:
    signer = Sessions(desk.store)

    def refused(password: str, name: str = "anna") -> str:
        with pytest.raises(Problem) as caught:
            signer.sign_in(name, password)
        assert caught.value.status == 401
        return caught.value.message

    told = {refused(f"wrong number {n}") for n in range(5)}
    told.add(refused(PASSWORD))  # locked: also the right one
    told.add(refused(PASSWORD, "nobody"))
    assert len(told) == 1, "it is not told which it was"
    rows = [r["data"] for r in desk.log("session.refused")]
    assert [r.get("failed") for r in rows] == [1, 2, 3, 4, 5, None]
    assert "locked_until_ms" in rows[4] and "wrong number" not in str(desk.log())
    assert anna.get("anna").state == "locked"
    clock.turn(14.9)
    refused(PASSWORD)
    clock.turn(0.2)
    refused("wrong number 6")  # the next lock is twice as long
    clock.turn(29.9)
    refused(PASSWORD)
    clock.turn(0.2)
    assert signer.sign_in("anna", PASSWORD)[1].name == "anna"
    refused("wrong number 7")
    assert desk.log("session.refused")[-1]["data"]["failed"] == 1, "in a row"


def test_enabling_lifts_a_lock(desk: Any, anna: People) -> None:
    signer = Sessions(desk.store)
    for _ in range(5):
        with pytest.raises(Problem):
            signer.sign_in("anna", "wrong password here")
    anna.change("anna", disabled=False)
    assert signer.sign_in("anna", PASSWORD)


def test_guesses_at_the_same_time_are_counted_one_by_one(desk: Any, anna: People) -> None:
    signer = Sessions(desk.store)

    def guess(n: int) -> None:
        with pytest.raises(Problem):
            signer.sign_in("anna", f"wrong number {n}")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(guess, range(12)))
    told = [r["data"]["failed"] for r in desk.log("session.refused") if "failed" in r["data"]]
    assert told == [1, 2, 3, 4, 5], "no guess slips past the lock"


def test_names_that_are_not_there_do_not_fill_the_log(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "is_right", lambda hashed, password: False)
    signer = Sessions(desk.store)
    for n in range(40):
        with pytest.raises(Problem):
            signer.sign_in(f"my password {n}", "x")
    rows = desk.log("session.refused")
    assert len(rows) == 1 and "my password" not in str(desk.log())
    signer._untold._told -= 61
    with pytest.raises(Problem):
        signer.sign_in("nobody", "x")
    assert desk.log("session.refused")[-1]["data"]["attempts"] == 40


def test_a_refusal_takes_as_long_for_nobody_as_for_somebody(desk: Any, anna: People) -> None:
    took = {}
    for name in ("anna", "nobody"):
        began = time.monotonic()
        assert sign_in(desk, "wrong password here", name).status == 401
        took[name] = time.monotonic() - began
    assert all(0.3 <= t < 1.0 for t in took.values()), took


def test_a_hash_of_before_is_made_anew(desk: Any, anna: People, monkeypatch: pytest.MonkeyPatch) -> None:
    import argon2

    weak = argon2.PasswordHasher(time_cost=1, memory_cost=4096, parallelism=1).hash(PASSWORD)
    with desk.store.database.begin() as connection:
        connection.exec_driver_sql("UPDATE people SET password=?", (weak,))
    Sessions(desk.store).sign_in("anna", PASSWORD)
    with desk.store.database.begin() as connection:
        kept = str(connection.exec_driver_sql("SELECT password FROM people").scalar())
    assert "m=8192,t=1" in kept and Sessions(desk.store).sign_in("anna", PASSWORD)


def test_a_password_of_ones_own(desk: Any, anna: People) -> None:
    first, second = (token_of(sign_in(desk)) for _ in range(2))

    def change(old: str, new: str) -> AsgiReply:
        body = {"old": old, "new": new}
        return desk.send("PUT", "/admin/session/password", body=body, headers=[*HERE, cookie(first)])

    assert change("not the old one", "another four words").status == 401
    assert change(PASSWORD, "short").status == 400 and who(desk, first).status == 200
    reply = change(PASSWORD, "another four words")
    assert reply.status == 200 and who(desk, token_of(reply)).status == 200
    assert who(desk, first).status == who(desk, second).status == 401
    assert sign_in(desk).status == 401 and sign_in(desk, "another four words").status == 200


OTHER_SITES = [
    [(b"host", b"desk.example"), (b"origin", b"http://evil.example"), (b"content-type", b"application/json")],
    [(b"host", b"desk.example"), (b"origin", b"null"), (b"content-type", b"application/json")],
    [(b"host", b"desk.example"), (b"origin", b"http://desk.example.evil"), (b"content-type", b"application/json")],
    [(b"host", b"desk.example"), (b"origin", b"http://desk.example:8000"), (b"content-type", b"application/json")],
    [(b"host", b"desk.example"), (b"origin", b"http://x@desk.example"), (b"content-type", b"application/json")],
    [(b"host", b"desk.example"), (b"origin", b"http://[::1"), (b"content-type", b"application/json")],
    [(b"sec-fetch-site", b"cross-site"), (b"content-type", b"application/json")],
    [(b"sec-fetch-site", b"same-site"), (b"content-type", b"application/json")],
    [(b"sec-fetch-site", b"none"), (b"content-type", b"application/json")],
    [(b"sec-fetch-site", b"same-origin"), (b"content-type", b"text/plain")],
    [(b"sec-fetch-site", b"same-origin"), (b"content-type", b"application/x-www-form-urlencoded")],
    [(b"sec-fetch-site", b"same-origin")],
]


@pytest.mark.parametrize("headers", [*OTHER_SITES, [(b"content-type", b"application/json")]])
def test_a_page_of_another_site_changes_nothing(desk: Any, anna: People, headers: Any) -> None:
    token = token_of(sign_in(desk))
    body = {"owner": "evil", "role": "admin"}
    for name, key in (("with a session", ""), ("with the key of its own", desk.keys["admin"])):
        reply = desk.send("POST", "/admin/keys", key=key, body=body, headers=[*headers, cookie(token)])
        assert reply.status == (201 if key else 403), name
        if not key:
            assert reply.json()["error"]["code"] == "cross_site"
    assert [r["actor"] for r in desk.log("key.made")][-1] == desk.ids["admin"]


@pytest.mark.parametrize("headers", OTHER_SITES)
def test_a_page_of_another_site_signs_nobody_in(desk: Any, anna: People, headers: Any) -> None:
    body = {"name": "anna", "password": PASSWORD}
    assert desk.send("POST", "/admin/session", body=body, headers=headers).status == 403


@pytest.mark.parametrize(
    "headers",
    [
        [(b"host", b"Desk.example:8470"), (b"origin", b"https://desk.example:8470"), (b"x-luodi", b"1")],
        [(b"sec-fetch-site", b"same-origin"), (b"content-type", b"application/json; charset=utf-8")],
    ],
)
def test_the_pages_of_this_site_may(desk: Any, anna: People, headers: Any) -> None:
    token = token_of(sign_in(desk))
    made = desk.send("POST", "/admin/keys", body={"owner": "shop"}, headers=[*headers, cookie(token)])
    assert made.status == 201 and desk.log("key.made")[-1]["actor"] == "person:anna"


def test_nobody_changes_their_own_role(desk: Any, anna: People) -> None:
    token = token_of(sign_in(desk))
    for body in ({"role": "user"}, {"disabled": True}):
        reply = desk.send("PATCH", "/admin/people/Anna", body=body, headers=[*HERE, cookie(token)])
        assert (reply.status, reply.json()["error"]["code"]) == (403, "oneself")
    assert who(desk, token).status == 200


def test_over_https_only_the_cookie_of_this_host_counts(open_desk: Callable[..., Any]) -> None:
    desk = open_desk(GatewayOptions(proxies=("10.1.0.0/16",)))
    People(desk.store).add("anna", "admin", PASSWORD)
    https = [(b"x-forwarded-proto", b"https")]
    reply = sign_in(desk, headers=https, client="10.1.2.3")
    assert reply.headers["set-cookie"].startswith("__Host-luodi-session=") and "; Secure" in reply.headers["set-cookie"]
    token = token_of(reply)

    def status(name: str, client: str = "10.1.2.3") -> int:
        found: AsgiReply = desk.send("GET", "/admin/session", headers=[*https, cookie(token, name)], client=client)
        return found.status

    assert status("__Host-luodi-session") == 200
    assert status("luodi-session") == 401, "another page of the domain could have set it"
    assert status("__Host-luodi-session", "192.0.2.1") == 401, "who is not a proxy is not believed"


@pytest.mark.parametrize(
    ("client", "forwarded", "secure"),
    [
        ("127.0.0.1", "https", True),
        ("::1", "http, https", True),
        ("127.0.0.1", "https, http", False),
        ("127.0.0.1", "", False),
        ("10.0.0.9", "https", True),
        ("10.0.1.9", "https", False),
        ("", "https", False),
        ("unix", "https", False),
    ],
)
def test_who_is_believed_about_https(client: str, forwarded: str, secure: bool) -> None:
    scope = {"scheme": "http", "client": (client, 1), "headers": [(b"x-forwarded-proto", forwarded.encode())]}
    assert is_secure(scope, networks(["10.0.0.0/24"])) is secure
    assert is_secure({"scheme": "https", "client": None, "headers": []})


def test_a_proxy_that_is_none() -> None:
    with pytest.raises(LuodiError, match="no address"):
        networks(["nginx"])


def test_a_line_of_people_who_sign_in_has_an_end(desk: Any, anna: People) -> None:
    async def many() -> list[int]:
        body = {"name": "nobody", "password": "x" * 20}
        replies = [call(desk.app, "POST", "/admin/session", body=body, headers=HERE) for _ in range(30)]
        return [reply.status for reply in await asyncio.gather(*replies)]

    desk.send("GET", "/admin/session")  # the app is there
    statuses = asyncio.run(many())
    assert statuses.count(429) == 6 and statuses.count(401) == 24
