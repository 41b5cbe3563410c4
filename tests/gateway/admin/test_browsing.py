"""Pages of records, of the log, of checkpoints and reviews; filters and cursors that were tampered with."""

from __future__ import annotations

from typing import Any

import pytest

from luodi.gateway.admin import browse
from luodi.gateway.admin.browse import page_of
from luodi.store.audit import LogRow, append, new_id
from luodi.store.tx import tx_of


def write(desk: Any, count: int, **columns: Any) -> list[str]:
    """Rows of calls; their ids, newest first."""
    ids = [new_id("rec") for _ in range(count)]
    row = {"kind": "call", "actor": "k1", "subject": "helpdesk@1", "outcome": "generated"} | columns
    with desk.store.database.begin() as connection:
        append(tx_of(connection), [LogRow(i, 1000 + n, **row) for n, i in enumerate(ids)])
    return ids[::-1]


def walk(desk: Any, path: str) -> tuple[list[str], int]:
    """Ids of all pages, and how many pages there were."""
    ids: list[str] = []
    cursor, pages = "", 0
    while True:
        page = desk.get(f"{path}{'&' if '?' in path else '?'}cursor={cursor}" if cursor else path)
        ids += [row["id"] for row in page["data"]]
        pages += 1
        if page["cursor"] is None:
            return ids, pages
        cursor = page["cursor"]


def test_every_record_once_newest_first(desk: Any) -> None:
    ids = write(desk, 25)
    assert walk(desk, "/admin/records?limit=10") == (ids, 3)
    assert walk(desk, "/admin/records?limit=200") == (ids, 1)
    everything, _ = walk(desk, "/admin/log?limit=7")
    assert everything[:25] == ids and len(everything) == len(set(everything)) == len(desk.log())


def test_rows_that_come_meanwhile_move_no_page(desk: Any) -> None:
    ids = write(desk, 10)
    first = desk.get("/admin/records?limit=5")
    write(desk, 10)
    second = desk.get(f"/admin/records?limit=5&cursor={first['cursor']}")
    assert [r["id"] for r in first["data"] + second["data"]] == ids


def test_filters(desk: Any) -> None:
    a = write(desk, 3, outcome="refused")
    b = write(desk, 2, actor="k2", subject="helpdesk@12")
    c = write(desk, 2, subject="helpdesk-eu@1")
    for query, ids in {
        "outcome=refused": a,
        "key=k2": b,
        "release=helpdesk": b + a,
        "release=helpdesk@1": a,
        "release=helpdesk-eu": c,
        "release=helpdesk-eu&key=k1": c,
        "from_ms=1001&to_ms=1002": [c[0], b[0], a[1]],
        "from_ms=2000": [],
    }.items():
        assert walk(desk, f"/admin/records?{query}")[0] == ids, query
    assert walk(desk, f"/admin/log?kind=key.made&subject={desk.ids['user']}")[0] == [
        r["id"] for r in desk.log("key.made") if r["subject"] == desk.ids["user"]
    ]


@pytest.mark.parametrize(
    "query",
    [
        "outcome=%25", "outcome=gen_rated", "key=%25", "key=k_", "release=%25", "release=helpdesk%25",
        "release=help_esk", "outcome=generated'--", "key=k1'%20OR%20'1'='1", "release=%27;DROP%20TABLE%20log;--",
        "release=helpdesk@1%22", "outcome=", "key=*", "release=%F0%9F%98%80",
    ],
)  # fmt: skip
def test_wildcards_and_quotes_are_letters(desk: Any, query: str) -> None:
    ids = write(desk, 3)
    assert desk.get(f"/admin/records?{query}")["data"] == [] or query == "outcome="
    assert walk(desk, "/admin/records")[0] == ids


@pytest.mark.parametrize(
    "query",
    [
        "cursor=-1", "cursor=x", "cursor=1.5", "cursor=1e3", "cursor=99999999999999999999", "cursor=%00", "cursor=٣",
        "cursor=1%20OR%201", "limit=0", "limit=201", "limit=-5", "from_ms=x", "outcome=%00", "outcome=%FF",
        "kind=key.made", "outcomes=refused", "&".join(f"a{n}=1" for n in range(60)),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_query_is_said(desk: Any, query: str) -> None:
    reply = desk.send("GET", f"/admin/records?{query}", role="auditor")
    assert reply.status == 400 and reply.json()["error"]["type"] == "invalid_request_error"


def test_a_cursor_that_is_made_up_shows_what_may_be_seen_anyway(desk: Any) -> None:
    ids = write(desk, 3)
    assert [r["id"] for r in desk.get(f"/admin/records?cursor={1 << 61}")["data"]] == ids
    assert desk.get("/admin/records?cursor=0") == {"data": [], "cursor": None}


def test_a_filter_that_finds_little_does_not_read_the_log_at_once(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    first = write(desk, 1, outcome="refused")
    write(desk, 60)
    monkeypatch.setattr(browse, "_WINDOW", 10)
    found, cursor = page_of(desk.store, {"kind": "call", "outcome": "refused"}, before=-1, limit=5)
    assert [r["id"] for r in found] == first and cursor is None
    monkeypatch.setattr(browse, "_PATIENCE_S", -1.0)
    found, cursor = page_of(desk.store, {"outcome": "refused"}, before=-1, limit=5)
    assert (found, cursor) == ([], str(len(desk.log())))


def test_a_record_whose_body_was_let_go(desk: Any) -> None:
    from luodi.store.audit import retain

    record = desk.ask()
    retain(desk.store, days=-1, content_days=-1, actor="test")
    listed = desk.get("/admin/records")["data"][0]
    assert listed["id"] == record and listed["outcome"] == "generated" and listed["surface"] is None
    one = desk.get(f"/admin/records/{record}")
    assert (one["record"], one["content_kept"]) == (None, False)
    why = desk.get(f"/v1/records/{record}/why", role="user")
    assert (why["recorded"], why["answer"]) == (None, None) and "let go" in why["recorded_reason"]
    assert desk.send("GET", f"/v1/records/{record}/proof", role="user").status == 409


def test_checkpoints(desk: Any) -> None:
    for _ in range(3):
        write(desk, 2)
        desk.checkpoint()
    first = desk.get("/admin/checkpoints?limit=2")
    rest = desk.get(f"/admin/checkpoints?limit=2&cursor={first['cursor']}")
    sizes = [c["size"] for c in first["data"] + rest["data"]]
    assert sizes == sorted(sizes, reverse=True) and len(sizes) == 3 and rest["cursor"] is None
    assert first["data"][0]["note"].startswith("luodi/log/")


def test_no_content_in_what_an_auditor_reads(desk: Any) -> None:
    record = desk.ask("How do I make the form field of Wachstube optional?")
    desk.change("POST", f"/v1/records/{record}/review", {"note": "Wachstube is spelt so"}, role="user")
    for path in ("records", "log", f"records/{record}"):
        assert "Wachstube" not in str(desk.get(f"/admin/{path}", role="auditor")), path
    assert "Wachstube" not in str(desk.get(f"/v1/records/{record}/why", role="auditor"))
