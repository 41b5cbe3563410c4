"""`luodi audit`, as people and machines use it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from luodi.cli.words import keys
from luodi.store import Store
from luodi.store.audit import LogRow, PayloadKeys, PayloadRow, Sealer, append, put
from luodi.store.audit.report import KINDS
from luodi.store.tx import tx_of

Run = Callable[..., Any]
DIGEST = "ab" * 32


@pytest.fixture
def log(store: Store) -> Store:
    """Ten calls with content."""
    sealer = Sealer(store)
    rows, payloads = [], []
    for n in range(10):
        commitment, sealed = sealer.seal(f"rec_{n}", {"answer": f"answer {n}"})
        body = {"release_digest": DIGEST, "content": commitment}
        rows.append(LogRow(f"rec_{n}", 1000 * n, "call", "k1", "helpdesk@1", "generated", n, body))
        payloads.append(PayloadRow(f"rec_{n}", 1000 * n, f"user:{n % 2}", sealed))
    with store.database.begin() as connection:
        connection.execute(text(f"INSERT INTO releases VALUES ('helpdesk', 1, '{DIGEST}', 'pass', 1)"))
        append(tx_of(connection), rows)
        put(tx_of(connection), payloads)
    return store


def test_every_kind_of_problem_has_a_text() -> None:
    assert {f"audit_{kind}" for kind in KINDS} <= set(keys())


def test_verify(log: Store, run: Run, tmp_path: Path) -> None:
    witness = tmp_path / "w.txt"
    assert run("audit", "checkpoint", "--anchor", f"file:{witness}").out == (
        f"checkpoint at 10 records\nput to file:{witness}\n"
    )
    done = run("audit", "verify", "--anchor", str(witness))
    assert done.code == 0 and not done.err
    assert done.out.startswith("ok: 10 records, 10 calls, 1 checkpoints, 1 witnessed, 10 contents opened; 0 bodies")
    done = run("audit", "verify")
    assert done.code == 0 and "no --anchor: a log that was cut off" in done.err
    (line,) = run("audit", "verify", "--json").lines()
    assert line["ok"] and line["rows"] == 10 and line["rows_per_second"] > 0


def test_verify_finds(log: Store, run: Run) -> None:
    with log.database.begin() as connection:
        tx_of(connection).run("UPDATE log SET body = replace(body, 'generated', 'refused') WHERE seq IN (3, 4, 8)")
    done = run("audit", "verify")
    assert done.code == 1
    assert done.out.splitlines()[:2] == [
        "records 3–4  the body was changed: it is not what its leaf says",
        "record 8  rec_8  the body was changed: it is not what its leaf says",
    ]
    assert "2 problems in 10 records" in done.out
    done = run("audit", "verify", "--lang", "zh")
    assert (
        "第 3–4 条记录  正文被改动" in done.out
        and "10 条记录中有 2 个问题" in done.out
        and "未给出 --anchor" in done.err
    )
    lines = run("audit", "verify", "--json").lines()
    assert lines[0] == {"kind": "record.body", "seq": 3, "to_seq": 4, "id": "", "detail": ""}
    assert lines[-1]["ok"] is False and lines[-1]["problem_count"] == 2


def test_keys_of_the_auditor(log: Store, run: Run, tmp_path: Path) -> None:
    run("audit", "checkpoint")
    own, other, broken = tmp_path / "own.pub", tmp_path / "other.pub", tmp_path / "broken.pub"
    own.write_text(log.keys.public_text())
    other.write_text(Store(tmp_path / "other").keys.public_text())
    broken.write_text("hello")
    assert run("audit", "verify", "--key", str(own)).code == 0
    done = run("audit", "verify", "--key", str(other))
    assert done.code == 1 and "forged: not signed by a key that is trusted" in done.out
    done = run("audit", "verify", "--key", str(broken))
    assert done.code == 2 and "is not a public key" in done.err
    done = run("audit", "verify", "--tsa-root", str(broken))
    assert done.code == 2 and "holds no certificate" in done.err
    done = run("audit", "verify", "--anchor", str(tmp_path / "absent"))
    assert done.code == 2 and "absent could not be read" in done.err


def test_prove_and_check(log: Store, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = run("audit", "prove", "rec_4", "-o", "p.json")
    assert done.code == 2 and "no checkpoint covers row 4" in done.err and "luodi audit checkpoint" in done.err
    run("audit", "checkpoint")
    proof = tmp_path / "p.json"
    assert "proof of rec_4 under the checkpoint at 10 records" in run("audit", "prove", "rec_4", "-o", str(proof)).out
    assert json.loads(run("audit", "prove", "rec_4").out) == json.loads(proof.read_text())
    own = tmp_path / "own.pub"
    own.write_text(log.keys.public_text())
    empty = tmp_path / "elsewhere"
    empty.mkdir()
    monkeypatch.chdir(empty)  # no project, no database
    done = run("audit", "check", str(proof))
    assert done.code == 0 and "rec_4 is record 4 of the log" in done.out and "no --key" in done.err
    done = run("audit", "check", str(proof), "--key", str(own), "--json")
    assert done.code == 0 and not done.err and done.lines()[0]["body"]["id"] == "rec_4"
    assert list(empty.iterdir()) == []
    proof.write_text(proof.read_text().replace("generated", "refused"))
    done = run("audit", "check", str(proof))
    assert done.code == 2 and "the record is not in the log" in done.err
    for nonsense in ("", "[]", "{", '{"format": 1}', "\x00"):
        proof.write_text(nonsense)
        assert run("audit", "check", str(proof)).code == 2
    assert run("audit", "check", str(tmp_path / "absent")).code == 2


def test_export(log: Store, run: Run, tmp_path: Path) -> None:
    run("audit", "checkpoint")
    lines = run("audit", "export").lines()
    assert lines[0]["format"] == "luodi-audit/1" and [r["seq"] for r in lines[1:]] == list(range(10))
    out = tmp_path / "x.jsonl"
    done = run("audit", "export", "--from", "1970-01-01T00:00:02", "--to", "1970-01-02", "--proofs", "-o", str(out))
    assert done.out == f"8 records: {out}\n"
    assert [len(json.loads(line)["proof"]) > 0 for line in out.read_text().splitlines()[1:]] == [True] * 8
    assert run("audit", "ls", "--kind", "audit.exported", "--json").lines()[-1]["subject"] == "log"


def test_erase(log: Store, run: Run) -> None:
    assert run("audit", "erase", "--reason", "x").code == 2
    done = run("audit", "erase", "--id", "rec_9", "--reason", "asked for")
    assert (done.code, done.out) == (0, "content of 1 records erased\n")
    assert "no content was kept of rec_9" in run("audit", "erase", "--id", "rec_9", "--reason", "again").err
    assert run("audit", "erase", "--subject", "user:1", "--reason", "asked for", "--json").lines()[0]["erased"] == [
        "rec_1", "rec_3", "rec_5", "rec_7",
    ]  # fmt: skip
    done = run("audit", "erase", "--subject", "user:1", "--reason", "again")
    assert done.code == 2 and "no content of 'user:1'" in done.err
    assert run("audit", "verify", "--json").lines()[0]["payloads_let_go"] == 5


def test_retain(log: Store, run: Run, project: Path) -> None:
    done = run("audit", "retain")  # the project's: content for 30 days, rows for ever
    assert (done.code, done.out) == (0, "let go of 0 bodies and 10 contents\n")
    assert run("audit", "retain", "--days", "1").out == "let go of 10 bodies and 0 contents\n"
    assert run("audit", "verify", "--json").lines()[0]["bodies_let_go"] == 10
    assert run("audit", "retain", "--days", "-1").code == 2
    shown = json.loads(run("audit", "show", "rec_3").out)
    assert shown["body"] is None and shown["id"] == "rec_3" and shown["content_kept"] is False


def test_checkpoint_without_growth_and_to_a_place_that_fails(log: Store, run: Run, tmp_path: Path) -> None:
    assert run("audit", "checkpoint").out == "checkpoint at 10 records\n"
    done = run("audit", "checkpoint", "--anchor", f"file:{tmp_path}/absent/w.txt")
    assert done.code == 1 and "the log has not grown" in done.out and "NOT put to file:" in done.out
    done = run("audit", "checkpoint", "--anchor", "nowhere")
    assert done.code == 1 and "no place for checkpoints" in done.out


def test_ls_and_show(log: Store, run: Run) -> None:
    done = run("audit", "ls", "--limit", "3")
    assert done.out.splitlines()[0].split() == ["place", "id", "time", "kind", "actor", "subject", "outcome"]
    assert [line.split()[1] for line in done.out.splitlines()[1:]] == ["rec_7", "rec_8", "rec_9"]
    assert len(run("audit", "ls", "--kind", "none").out.splitlines()) == 1
    shown = json.loads(run("audit", "show", "rec_3").out)
    assert shown["release_digest"] == DIGEST and shown["content_kept"] is True and "opened" not in shown
    shown = run("audit", "show", "rec_3", "--content", "--json").lines()[0]
    assert shown["opened"] == {"answer": "answer 3"}
    assert run("audit", "ls", "--limit", "1", "--json").lines()[0]["kind"] == "audit.content_read"
    assert run("audit", "show", "x").code == 2


def test_rekey(log: Store, run: Run) -> None:
    assert run("audit", "rekey").out == "content is sealed with key 2 from now on\n"
    done = run("audit", "rekey", "--retire", "1")
    assert done.code == 2 and "younger than 60 s" in done.err
    path = log.keys.root / "payload-2.key"
    os.utime(path, (1, 1))
    assert run("audit", "rekey", "--retire", "1").out == "key 1 is deleted; 10 contents were sealed again\n"
    assert PayloadKeys(log.keys.root).numbers() == [2] and run("audit", "verify").code == 0


def test_without_a_project(run: Run) -> None:
    for words in (["verify"], ["ls"], ["export"], ["checkpoint"], ["retain"]):
        assert run("audit", *words).code == 2
