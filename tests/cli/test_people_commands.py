"""people, review and why."""

from __future__ import annotations

import io
import sys
from typing import Any

import pytest

from luodi.store import Store
from luodi.testing import FakeEngine, tiny_release

Q = "How do I make a form field optional?"
PASSWORD = "four plain words here"


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Puts a line on standard input."""
    return lambda line: monkeypatch.setattr(sys, "stdin", io.StringIO(line))


def test_people(run: Any, store: Store, typed: Any) -> None:
    assert run("people", "ls").out == "nothing here yet\n"
    typed("too short\n")
    refused = run("people", "add", "Anna", "--role", "reviewer", "--password-stdin")
    assert refused.code == 2 and "at least 12 characters" in refused.err
    typed(PASSWORD + "\n")
    made = run("people", "add", "Anna", "--role", "reviewer", "--team", "desk", "--password-stdin", "--json")
    assert made.lines()[0]["name"] == "anna" and "argon2" not in made.out
    typed(PASSWORD + "\n")
    assert "already" in run("people", "add", "anna", "--role", "user", "--password-stdin").err
    assert run("people", "role", "anna", "auditor").out == "anna is now auditor; all sessions have ended\n"
    assert run("people", "disable", "anna").code == 0
    assert run("people", "ls", "--json").lines()[0]["state"] == "disabled"
    assert run("people", "enable", "anna").code == 0
    typed("another four words\n")
    assert run("people", "password", "anna", "--password-stdin").code == 0
    assert "auditor  desk" in run("people", "ls").out
    assert run("people", "role", "bert", "user").code == run("people", "role", "anna", "root").code == 2
    kinds = [r["kind"] for r in run("audit", "ls", "--json").lines()]
    assert kinds == [f"person.{k}" for k in ("added", "role", "disabled", "enabled", "password")]


def test_review_and_why(run: Any, store: Store, engine: FakeEngine) -> None:
    from luodi.gateway.admin import Reviews

    tiny_release(store)
    assert run("review", "ls").out == "nothing here yet\n"
    record = run("ask", Q, "--json").lines()[0]["record"]
    told = run("why", record[:-4])
    assert told.code == 0, told.err
    for part in (Q, "helpdesk@1", "doc0.md:1", "coverage", "1.00", "the store has no record of how"):
        assert part in told.out, part
    sealed = run("why", record, "--no-content", "--json").lines()[0]
    assert sealed["answer"] is None and sealed["sources"][0]["digest"]
    assert "置信度" in run("why", record, "--lang", "zh").out
    assert run("review", "show", record).code == 2, "it never came before people"
    Reviews(store).ask(record, "this is not so", actor="key")
    assert record in run("review", "ls").out
    shown = run("review", "show", record).out
    assert Q in shown and "this is not so" in shown and "waits" in shown
    done = run("review", "decide", record, "overturned", "--note", "indeed")
    assert done.out == f"{record} is overturned\n"
    assert run("review", "decide", record, "upheld").code == 2
    decided = run("review", "ls", "--decided", "--json").lines()[0]
    assert (decided["decision"], decided["reviewer"]) == ("overturned", store.keys.owner())
    assert "the reviewer: indeed" in run("review", "show", record).out
    assert "overturned" in run("why", record).out
    reads = [r for r in run("audit", "ls", "--json").lines() if r["kind"] == "content.read"]
    assert len(reads) == 5 and {r["subject"] for r in reads} == {record}
    assert run("why", "nope").code == 2 and run("audit", "verify").code == 0
