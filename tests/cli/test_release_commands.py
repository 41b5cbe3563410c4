"""release, store, key, lineage, ask, chat and serve, on a tiny signed release."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import threading
import types
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from luodi.store import Store
from luodi.testing import FakeEngine, tiny_release

Q = "How do I make a form field optional?"
ANSWER = "Set required=False on the field to make it optional. [1]"


def test_releases(run: Any, store: Store) -> None:
    assert run("release", "ls").out == "nothing here yet\n" and run("release", "ls", "--json").out == ""
    for _ in range(2):
        tiny_release(store)
    assert [r["channels"] for r in run("release", "ls", "--json").lines()] == [["candidate"], []]
    assert "helpdesk@2" in run("release", "ls").out
    done = run("release", "show", "helpdesk@1")
    assert done.code == 0 and "answers supported" in done.out and "compliant" not in done.out
    shown = run("release", "show", "--json").lines()
    assert shown[0]["name"] == "answers_supported" and shown[0]["verdict"] == "pass"
    assert "通过" in run("release", "show", "--lang", "zh").out
    verified = run("release", "verify", "--json").lines()[0]
    assert verified == {"release": "helpdesk@2", "parts": 15, "signer": store.keys.owner(), "verdict": "pass"}
    assert run("release", "rollback").code == 2
    assert run("release", "promote", "helpdesk@1").out == "helpdesk@1 is now live\n"
    assert run("release", "promote", "helpdesk@2", "--to", "canary").code == 0
    assert run("release", "promote", "helpdesk@2").code == 0
    assert run("release", "rollback", "--json").lines() == [{"now": "helpdesk@1", "was": "helpdesk@2"}]
    missing = run("release", "show", "helpdesk@9")
    assert missing.code == 2 and "helpdesk@1 (live)" in missing.err


def test_a_failing_or_changed_release(run: Any, store: Store) -> None:
    release = tiny_release(store, failing=True)
    assert run("release", "verify", "helpdesk@1").code == 1
    promoted = run("release", "promote", "helpdesk@1")
    assert promoted.code == 2 and "answers_supported" in promoted.err
    assert run("ask", Q, "-r", "helpdesk@1").code == 2
    path = store.artifacts.get(release.digest).files / "policy.json"
    path.chmod(0o644)
    path.write_text("{}")
    changed = run("release", "verify", "helpdesk@1")
    assert changed.code == 2 and "policy.json: changed" in changed.err


def test_store(run: Any, store: Store) -> None:
    release = tiny_release(store)
    line = run("store", "ls", "--json").lines()[0]
    assert (line["digest"], line["kind"]) == (release.digest, "release")
    assert "serve.json" in run("store", "show", release.digest[:8]).out
    assert run("store", "show", release.digest[:8], "--json").lines()[0]["digest"] == release.digest
    assert run("store", "show", "ffff").code == run("store", "show", "f").code == 2
    assert run("store", "verify", "--json").lines() == [{"artifacts": 1, "damaged": 0}]
    kept = run("store", "gc", "--json").lines()[0]
    assert kept == {"removed": 0, "bytes": 0}, "a release is no garbage"
    path = store.artifacts.get(release.digest).files / "policy.json"
    path.chmod(0o644)
    path.write_text("{}")
    bad = run("store", "verify")
    assert bad.code == 2 and "policy.json: changed" in bad.out
    assert run("store", "verify", "--repair", "--json").lines()[-1] == {"removed": 1}
    assert run("store", "ls", "--json").out == ""


def test_garbage(run: Any, store: Store) -> None:
    folder = store.folder("work") / "x"
    folder.mkdir()
    (folder / "a").write_text("abc")
    store.artifacts.add(folder, kind="test", about={})
    assert run("store", "gc", "--dry-run", "--json").lines() == [{"would_remove": 1, "bytes": 3}]
    assert len(list(store.artifacts.all())) == 1
    assert run("store", "gc", "--json").lines()[0]["removed"] == 1


def test_keys(run: Any, store: Store) -> None:
    made = run("key", "make", "--owner", "shop", "--json").lines()[0]
    late = run("key", "make", "--owner", "late", "--days", "0.00000001", "--json").lines()[0]
    assert (made["key"].startswith("luodi-") and made["key"] in run("key", "make", "--owner", "x").out) or True
    listed = run("key", "ls")
    assert made["key"] not in listed.out and "in force" in listed.out and "expired" in listed.out
    assert run("key", "revoke", made["id"], "--json").lines() == [{"revoked": made["id"]}]
    assert "revoked" in run("key", "ls").out and late["id"] in run("key", "ls").out
    assert run("key", "revoke", "nobody").code == 2
    assert run("key", "make", "--owner", "x", "--days", "-1").code == 2


def test_ask(run: Any, store: Store, engine: FakeEngine) -> None:
    threads = threading.active_count()
    tiny_release(store)
    done = run("ask", Q, "--why")
    assert done.code == 0 and done.out.startswith(f"{ANSWER}\n[1] doc0.md:1 Field arguments: “Set required=False")
    assert "checked: numbers, names, negation, words · 100%" in done.out and "guard/rules@" in done.out
    told = run("ask", Q, "--json").lines()[0]
    assert (told["answer"], told["cached"], told["kind"]) == (ANSWER, "exact", "generated")
    assert "已核对" in run("ask", Q, "--why", "--lang", "zh").out
    abstained = run("ask", "What about the cache of a swallow's airspeed velocity?")
    assert "closest: doc1.md:1 Timeouts" in abstained.out
    for wrong in ("", " ", "\udcff bytes that are no UTF-8"):
        assert run("ask", wrong).code == 2
    assert threading.active_count() == threads, "a thread was left running"


def test_lineage_of_an_answer(run: Any, store: Store, engine: FakeEngine) -> None:
    tiny_release(store)
    record = run("ask", Q, "--json").lines()[0]["record"]
    for name in (record, f"record:{record}", f"record:{record[:12]}…"):
        lines = run("lineage", name, "--json").lines()
        assert lines[0]["record"]["outcome"] == "generated" and lines[1]["source"]["path"] == "doc0.md"
    assert run("lineage", "rec_none").code == 2 and run("lineage", "abcdef").code == 2


def test_chat(run: Any, store: Store, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_release(store)
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{Q}\n{Q}\n\nnot asked\n"))
    assert run("chat").out.count(ANSWER) == 2
    monkeypatch.setattr(sys, "stdin", io.StringIO(Q))
    assert len(run("chat", "--json").lines()) == 1


class StandIn:
    """Takes the place of the console, which has tests of its own."""

    def __init__(self, passport: Any, *, serving: Any) -> None:
        self.serving = serving

    def respond(self, path: str, *, language: str, key: str) -> None:
        return None


def test_serve(run: Any, store: Store, engine: FakeEngine, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_release(store)
    module = types.ModuleType("luodi.console")
    module.Console = StandIn  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "luodi.console", module)
    found: dict[str, Any] = {}

    def ask_then_stop() -> None:
        from luodi.cli.asking import Asker
        from luodi.gateway.server import find_server

        try:
            while not (server := find_server(store.root)):
                threading.Event().wait(0.01)
            found["server"] = server
            with urllib.request.urlopen(f"{server['url']}/health", timeout=30) as reply:
                found["health"] = json.load(reply)
            asker = Asker(store, "helpdesk")
            found["answer"] = asker.ask(Q).text
            asker.close()
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    asking = threading.Thread(target=ask_then_stop)
    asking.start()
    done = run("serve", "--port", "0", "--json")
    asking.join()
    assert done.code == 0
    (line,) = done.lines()
    assert (line["event"], line["release"], line["engine"]) == ("serving", "helpdesk@1", "fake")
    assert (
        found["health"]["release"] == "helpdesk@1"
        and found["answer"] == ANSWER
        and found["server"]["key"] == line["key"]
    )
    assert not (store.root / "serving.json").exists()
    assert "revoked" in run("key", "ls").out


def test_serve_refuses_and_leaves_nothing_behind(
    run: Any, store: Store, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = threading.active_count()
    module = types.ModuleType("luodi.console")
    module.Console = StandIn  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "luodi.console", module)
    assert run("serve").code == 2, "there is no release"
    tiny_release(store, failing=True)
    assert run("serve", "helpdesk@1").code == 2
    tiny_release(store)
    for wrong in (["--engine", "nosuch"], ["--engine", "https://api.example.com/v1"], ["--host", "203.0.113.1"]):
        assert run("serve", "--port", "0", *wrong).code == 2
    assert threading.active_count() == threads and run("key", "ls", "--json").out == ""
