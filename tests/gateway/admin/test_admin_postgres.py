"""The same on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from desks import PASSWORD, QUESTION

from luodi.gateway import GatewayOptions
from luodi.gateway.admin import People, Sessions
from luodi.gateway.problem import Problem
from luodi.store.audit import verify

pytestmark = pytest.mark.usefixtures("quick_hashes")


def test_people_records_reviews_and_why(postgres_url: str, open_desk: Callable[..., Any]) -> None:
    text = "Set required=False on the field to make it optional. [1] A field is required by default, mostly. [1]"
    desk = open_desk(GatewayOptions(review_below=0.9), text=text, database=postgres_url)
    desk.change("POST", "/admin/people", {"name": "anna", "role": "reviewer", "password": PASSWORD})
    signer = Sessions(desk.store)
    token, _ = signer.sign_in("anna", PASSWORD)
    for _ in range(5):
        with pytest.raises(Problem):
            signer.sign_in("anna", "wrong password here")
    with pytest.raises(Problem):
        signer.sign_in("anna", PASSWORD)
    assert signer.find(token) is not None
    People(desk.store).change("anna", role="user")
    assert signer.find(token) is None
    records = [desk.ask(f"{QUESTION} {n}") for n in range(3)]
    desk.checkpoint()
    page = desk.get("/admin/records?limit=2&release=helpdesk")
    rest = desk.get(f"/admin/records?limit=2&release=helpdesk&cursor={page['cursor']}")
    assert [r["id"] for r in page["data"] + rest["data"]] == records[::-1]
    assert desk.get("/admin/records?outcome=%25&release=%25")["data"] == []
    assert len(desk.get("/admin/reviews?limit=2", role="reviewer")["data"]) == 2
    record = records[0]
    assert desk.change("POST", f"/v1/records/{record}/review", {"note": "no"}, role="user")["reason"] == "appeal"
    assert desk.get(f"/admin/reviews/{record}", role="reviewer")["appeal_note"] == "no"
    told = desk.get(f"/v1/records/{record}/why", role="user")
    assert told["training"]["rows"][0]["row_id"] == "pair0001" and told["sources"][0]["digest"]
    assert desk.get(f"/v1/records/{record}/proof", role="user")["seq"] == told["audit"]["seq"]
    body = {"decision": "overturned", "note": "indeed"}
    assert desk.change("POST", f"/admin/reviews/{record}", body, role="reviewer")["decision"] == "overturned"
    desk.change("PUT", "/admin/limits/team:x", {"concurrent": 3})
    desk.change("POST", "/admin/releases/helpdesk@1/promote")
    assert desk.send("GET", "/admin/records?outcome=%00", role="admin").status == 400
    assert desk.send("GET", f"/v1/records/{'r' * 300}", role="admin").status == 404
    assert verify(desk.store).ok
