"""Calls that wait for a person: by appeal, and by policy."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from desks import QUESTION

from luodi.gateway import GatewayOptions
from luodi.gateway.admin import Reviews
from luodi.gateway.admin.endpoints import reviews as endpoint
from luodi.gateway.steps import steps
from luodi.gateway.steps.review import Review
from luodi.store.audit import erase, verify

NOTE = "the page was changed in May"
TWO = "Set required=False on the field to make it optional. [1] A field is required by default, mostly. [1]"


def appeal(desk: Any, record: str, role: str = "user", note: str = NOTE, key: str = "") -> Any:
    return desk.send("POST", f"/v1/records/{record}/review", role=role, key=key, body={"note": note})


def events(desk: Any) -> list[dict[str, Any]]:
    with desk.store.database.begin() as connection:
        rows = connection.exec_driver_sql("SELECT body FROM deliveries WHERE kind='review.waiting'").all()
    return [json.loads(row[0])["data"] for row in rows]


def test_from_appeal_to_decision(desk: Any) -> None:
    record = desk.ask()
    reply = appeal(desk, record)
    assert reply.status == 201 and reply.json() == {
        "record": record, "state": "waiting", "reason": "appeal", "note_kept": True,
    }  # fmt: skip
    assert events(desk) == [{"record": record, "reason": "appeal"}]
    assert [r["record"] for r in desk.get("/admin/reviews", role="reviewer")["data"]] == [record]
    shown = desk.get(f"/admin/reviews/{record}", role="reviewer")
    assert shown["content"]["messages"] == [["user", QUESTION]] and shown["appeal_note"] == NOTE
    assert desk.get(f"/v1/records/{record}", role="user")["review"]["state"] == "waiting"
    body = {"decision": "overturned", "note": "so it was"}
    assert desk.change("POST", f"/admin/reviews/{record}", body, role="reviewer")["state"] == "decided"
    assert desk.get("/admin/reviews", role="reviewer")["data"] == []
    decided = desk.get("/admin/reviews?state=decided", role="reviewer")["data"][0]
    assert (decided["decision"], decided["reviewer"]) == ("overturned", desk.ids["reviewer"])
    assert desk.get(f"/admin/reviews/{record}", role="reviewer")["decision_note"] == "so it was"
    assert desk.get(f"/v1/records/{record}", role="user")["review"]["decision"] == "overturned"
    again = desk.send("POST", f"/admin/reviews/{record}", role="reviewer", body={"decision": "upheld"})
    assert (again.status, again.json()["error"]["code"]) == (409, "decided_before")
    kinds = [r["kind"] for r in desk.log() if r["kind"].startswith(("review.", "content."))]
    assert kinds == ["review.asked", "content.read", "review.decided", "content.read"]
    assert NOTE not in str(desk.log()) and "so it was" not in str(desk.log())
    assert verify(desk.store).ok


def test_an_appeal_by_another_caller_is_refused(desk: Any) -> None:
    record = desk.ask()
    _, other = desk.gateway.keys.create("another user")
    for reply in (appeal(desk, record, key=other), *(appeal(desk, record, role=r) for r in ("admin", "reviewer"))):
        assert (reply.status, reply.json()["error"]["code"]) == (404, "record_not_found")
    assert desk.get("/admin/reviews")["data"] == [] and events(desk) == []


def test_an_appeal_is_made_once(desk: Any) -> None:
    record = desk.ask()
    assert appeal(desk, record).status == 201
    again = appeal(desk, record, note="and another thing")
    assert (again.status, again.json()["error"]["code"]) == (409, "asked_before")
    desk.change("POST", f"/admin/reviews/{record}", {"decision": "upheld"})
    assert appeal(desk, record).status == 409, "not even after the decision"
    assert len(events(desk)) == 1


@pytest.mark.parametrize("body", [{"note": "x" * 4001}, {"note": 1}, {"note": "x", "record": "y"}, {"note": "\0"}])
def test_appeals_that_are_none(desk: Any, body: Any) -> None:
    record = desk.ask()
    reply = desk.send("POST", f"/v1/records/{record}/review", role="user", body=body)
    assert reply.status == 400 and desk.get("/admin/reviews")["data"] == []


def test_nobody_decides_on_a_call_of_their_own(desk: Any) -> None:
    record = desk.ask(role="reviewer")
    assert appeal(desk, record, role="reviewer").status == 201
    reply = desk.send("POST", f"/admin/reviews/{record}", role="reviewer", body={"decision": "overturned"})
    assert (reply.status, reply.json()["error"]["code"]) == (403, "own_call")
    assert desk.change("POST", f"/admin/reviews/{record}", {"decision": "upheld"})["decision"] == "upheld"


def test_an_erased_person_s_notes_go_with_the_content(desk: Any) -> None:
    record = desk.ask(user="4711")
    appeal(desk, record)
    desk.change("POST", f"/admin/reviews/{record}", {"decision": "upheld", "note": "4711 is wrong"})
    done = erase(desk.store, subject="user:4711", reason="asked for", actor="test")
    assert len(done.ids) == 3, "the call's content and two notes"
    shown = desk.get(f"/admin/reviews/{record}", role="reviewer")
    assert (shown["content"], shown["appeal_note"], shown["decision_note"]) == (None, None, None)
    assert "erased" in shown["content_reason"] and verify(desk.store).ok


def test_where_no_content_is_kept_no_note_is(open_desk: Callable[..., Any]) -> None:
    desk = open_desk(GatewayOptions(keep_content=False))
    record = desk.ask()
    assert appeal(desk, record).json()["note_kept"] is False
    shown = desk.get(f"/admin/reviews/{record}", role="reviewer")
    assert (shown["content"], shown["appeal_note"]) == (None, None)
    with desk.store.database.begin() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM payloads").scalar() == 0


def test_an_overturned_answer_is_not_given_again(desk: Any) -> None:
    first = desk.ask()
    again = desk.ask()
    cached = desk.get(f"/v1/records/{again}/why", role="user")["origin"]
    assert cached == {"how": "exact", "record": first}
    appeal(desk, again)
    desk.change("POST", f"/admin/reviews/{again}", {"decision": "overturned"})
    with desk.store.database.begin() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM cache_entries").scalar() == 0


def test_pages_of_reviews(desk: Any) -> None:
    records = [desk.ask(f"{QUESTION} {n}") for n in range(5)]
    for record in records:
        appeal(desk, record)
    with desk.store.database.begin() as connection:  # all in the same millisecond, as a crowd is
        connection.exec_driver_sql("UPDATE reviews SET time_ms=1000")

    def walk(query: str) -> list[str]:
        found: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            page = desk.get(f"/admin/reviews?limit=2&{query}&cursor={cursor}", role="reviewer")
            found += [r["record"] for r in page["data"]]
            cursor = page["cursor"]
        return found

    assert walk("state=waiting") == sorted(records)
    for record in records[:3]:
        desk.change("POST", f"/admin/reviews/{record}", {"decision": "upheld"})
    assert walk("state=waiting") == sorted(records[3:])
    assert walk("state=decided") == sorted(records[:3], reverse=True)
    for wrong in ("cursor=x", "cursor=1.", "cursor=1.a'b", "cursor=%D9%A3.a", "state=open", "limit=0"):
        assert desk.send("GET", f"/admin/reviews?{wrong}", role="reviewer").status == 400, wrong
    assert endpoint._CURSOR.fullmatch("1.a\n") is None


def test_an_answer_with_too_little_for_it_waits(open_desk: Callable[..., Any]) -> None:
    desk = open_desk(GatewayOptions(review_below=0.9), text=TWO)
    record = desk.ask()
    waiting = desk.get("/admin/reviews", role="reviewer")["data"]
    assert [(r["record"], r["reason"], r["below"]) for r in waiting] == [(record, "confidence", 0.9)]
    why = desk.get(f"/v1/records/{record}/why", role="user")
    assert why["confidence"]["value"] == waiting[0]["confidence"] < 0.9
    assert events(desk) == [{"record": record, "reason": "confidence"}]
    row = desk.log("review.waiting")[0]
    assert (row["actor"], row["subject"]) == ("policy", record)
    call = desk.log("call")[0]
    assert call["seq"] + 1 == row["seq"], "in the transaction that writes the call's row"
    assert verify(desk.store).ok


def test_an_answer_with_enough_for_it_does_not_wait(open_desk: Callable[..., Any]) -> None:
    desk = open_desk(GatewayOptions(review_below=0.9))
    desk.ask()
    desk.ask("What is the capital of France?")  # an abstention: nothing was checked
    assert desk.get("/admin/reviews", role="reviewer")["data"] == []


def test_a_stream_waits_as_well_and_a_cached_answer_again(open_desk: Callable[..., Any]) -> None:
    desk = open_desk(GatewayOptions(review_below=0.9), text=TWO)
    body = {"model": "helpdesk", "messages": [{"role": "user", "content": QUESTION}], "stream": True}
    for _ in range(2):
        assert desk.send("POST", "/v1/chat/completions", role="user", body=body).done
    assert len(desk.get("/admin/reviews", role="reviewer")["data"]) == 2


def test_without_the_option_the_step_is_not_there(open_desk: Callable[..., Any]) -> None:
    off, on = open_desk(), open_desk(GatewayOptions(review_below=0.5))
    assert not any(isinstance(step, Review) for step in steps(off.gateway))
    assert sum(isinstance(step, Review) for step in steps(on.gateway)) == 1


def test_an_appeal_against_what_waits_or_was_decided(open_desk: Callable[..., Any]) -> None:
    desk = open_desk(GatewayOptions(review_below=0.9), text=TWO)
    first, second = desk.ask(), desk.ask(QUESTION + "?")
    desk.change("POST", f"/admin/reviews/{second}", {"decision": "upheld"})
    for record in (first, second):
        assert appeal(desk, record).status == 201
        found = Reviews(desk.store).get(record)
        assert found is not None and (found["state"], found["reason"]) == ("waiting", "appeal")
        assert found["confidence"] < 0.9, "what was known before stays"
    assert [e["reason"] for e in events(desk)] == ["confidence", "confidence", "appeal", "appeal"]


def test_two_reviewers_at_once(desk: Any) -> None:
    from luodi.testing import call

    record = desk.ask()
    appeal(desk, record)
    _, other = desk.gateway.keys.create("another reviewer", "reviewer")

    async def both() -> list[int]:
        path = f"/admin/reviews/{record}"
        replies = await asyncio.gather(
            *(
                call(desk.app, "POST", path, key=key, body={"decision": word})
                for key, word in ((other, "upheld"), (desk.keys["reviewer"], "overturned"))
            )
        )
        return sorted(reply.status for reply in replies)

    assert asyncio.run(both()) == [200, 409] and len(desk.log("review.decided")) == 1
