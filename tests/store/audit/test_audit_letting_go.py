"""Erasure and retention: gone from the disk, explained by the log, and what hides behind them is found."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from auditing import START_MS, ask, body_of, fill, kinds, run

from luodi.errors import StoreError
from luodi.store import Store
from luodi.store.audit import PayloadKeys, anchor_newest, erase, make_checkpoint, retain, verify
from luodi.store.audit.content import subject_digest

DAY = 86_400_000


def at(number: float) -> int:
    """A moment so that rows below `number` are older than a day."""
    return START_MS + int(number * 1000) + DAY


def on_disk(root: Path, needle: bytes) -> bool:
    return any(needle in p.read_bytes() for p in root.glob("luodi.db*"))


class TestErasing:
    def test_by_id(self, store: Store, tmp_path: Path) -> None:
        fill(store, 40, checkpoint_every=10)
        anchor_newest(store, [f"file:{tmp_path / 'w'}"])
        sealed = bytes(ask(store, "SELECT sealed FROM payloads WHERE id = 'rec_00000007'")[0][0])
        sqlite = store.database.engine.dialect.name == "sqlite"
        assert not sqlite or on_disk(store.root, sealed[17:80])
        done = erase(store, ids=["rec_00000007", "rec_00000007"], reason="asked for", actor="me")
        assert (done.ids, done.without, done.lingers) == (("rec_00000007",), (), False)
        assert not on_disk(store.root, sealed[17:80]), "neither in the database nor in its write-ahead log"
        report = verify(store, anchors=[tmp_path / "w"])
        assert report.ok and (report.payloads, report.payloads_let_go) == (39, 1)
        said = body_of(store, 40)
        assert said["kind"] == "audit.erased" and said["data"] == {"ids": ["rec_00000007"], "reason": "asked for"}
        again = erase(store, ids=["rec_00000007"], reason="again", actor="me")
        assert (again.ids, again.without) == ((), ("rec_00000007",))

    def test_by_person(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("luodi.store.audit.content._IDS", 4)
        fill(store, 40)
        done = erase(store, subject="user:1", reason="Art. 17", actor="me")
        assert len(done.ids) == 10 and done.ids[0] == "rec_00000001"
        assert verify(store).ok
        said = [body_of(store, seq)["data"] for seq in (40, 41, 42)]
        assert [len(s["ids"]) for s in said] == [4, 4, 2]
        key = PayloadKeys(store.keys.root).get(said[0]["key"])
        assert said[0]["subject_digest"] == subject_digest(key, "user:1") != subject_digest(key, "user:2")
        assert "user:1" not in str(ask(store, "SELECT body FROM log")), "the log does not name the person"

    def test_what_is_not_there(self, store: Store) -> None:
        fill(store, 2)
        with pytest.raises(StoreError, match="no record 'rec_9'"):
            erase(store, ids=["rec_00000001", "rec_9"], reason="x", actor="me")
        with pytest.raises(StoreError, match="no content of 'user:9'"):
            erase(store, subject="user:9", reason="x", actor="me")
        assert ask(store, "SELECT count(*) FROM payloads") == [(2,)]

    def test_an_erasure_covers_its_own_ids_only(self, store: Store) -> None:
        fill(store, 10)
        erase(store, ids=["rec_00000003"], reason="x", actor="me")
        run(store, "DELETE FROM payloads WHERE id = 'rec_00000004'")
        assert [(p.kind, p.seq) for p in verify(store).problems] == [("payload.missing", 4)]

    def test_an_erasure_can_not_be_forged_into_the_log(self, store: Store) -> None:
        fill(store, 10)
        erase(store, ids=["rec_00000003"], reason="x", actor="me")
        run(store, "DELETE FROM payloads WHERE id = 'rec_00000004'")
        body = ask(store, "SELECT body FROM log WHERE seq = 10")[0][0]
        run(store, "UPDATE log SET body = ? WHERE seq = 10", body.replace("00000003", "00000004"))
        assert kinds(verify(store)) == ["payload.missing", "record.body"]

    def test_while_somebody_reads(self, store: Store) -> None:
        if store.database.engine.dialect.name != "sqlite":
            pytest.skip("SQLite's write-ahead log")
        fill(store, 5)
        reader = sqlite3.connect(store.root / "luodi.db", isolation_level=None)
        try:
            reader.execute("BEGIN")
            assert reader.execute("SELECT count(*) FROM payloads").fetchone() == (5,)
            with store.database.engine.connect() as connection:
                raw = connection.connection.cursor()
                raw.execute("PRAGMA busy_timeout=50")  # of the one pooled connection
                raw.close()
            assert erase(store, ids=["rec_00000003"], reason="x", actor="me").lingers
        finally:
            reader.close()
        assert not erase(store, ids=["rec_00000004"], reason="x", actor="me").lingers


class TestRetention:
    def test_bodies_and_content(self, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("luodi.store.audit.content._BODIES", 7)
        fill(store, 40, checkpoint_every=10)
        anchor_newest(store, [f"file:{tmp_path / 'w'}"])
        secret = ask(store, "SELECT body FROM log WHERE seq = 3")[0][0].encode()
        done = retain(store, days=1, content_days=1, actor="me", now_ms=at(20))
        assert (done.bodies, done.payloads, done.first_seq, done.last_seq) == (20, 20, 0, 19)
        assert not on_disk(store.root, secret[20:120])
        report = verify(store, anchors=[tmp_path / "w"])
        assert report.ok, report.problems
        assert (report.bodies_let_go, report.payloads, report.checkpoints, report.anchors) == (20, 20, 4, 1)
        again = retain(store, days=1, content_days=1, actor="me", now_ms=at(20))
        assert (again.bodies, again.payloads, again.first_seq) == (0, 0, None)
        retain(store, days=1, actor="me", now_ms=at(30))
        make_checkpoint(store)
        report = verify(store, anchors=[tmp_path / "w"])
        assert report.ok and report.bodies_let_go == 30 and report.payloads_not_checked == 10

    def test_content_goes_before_its_rows(self, store: Store) -> None:
        fill(store, 40)
        done = retain(store, days=None, content_days=1, actor="me", now_ms=at(15))
        assert (done.bodies, done.payloads) == (0, 15)
        report = verify(store)
        assert report.ok and (report.payloads, report.payloads_let_go) == (25, 15)
        run(store, "DELETE FROM payloads WHERE id = 'rec_00000015'")
        assert [(p.kind, p.seq) for p in verify(store).problems] == [("payload.missing", 15)]

    def test_rows_about_the_log_stay(self, store: Store) -> None:
        fill(store, 10)
        erase(store, ids=["rec_00000003"], reason="x", actor="me", now_ms=START_MS)
        fill(store, 10, start=20)
        retain(store, days=1, actor="me", now_ms=at(1000))
        report = verify(store)
        assert report.ok and report.bodies_let_go == 20
        assert body_of(store, 21)["data"]["kept"] == [10]
        run(store, "UPDATE log SET body = NULL, kind = 'call' WHERE seq = 10")
        assert [(p.kind, p.seq) for p in verify(store).problems] == [("body.missing", 10)]

    def test_a_body_outside_the_range_is_missing(self, store: Store) -> None:
        fill(store, 40)
        retain(store, days=1, actor="me", now_ms=at(20))
        run(store, "UPDATE log SET body = NULL WHERE seq = 20")
        assert [(p.kind, p.seq) for p in verify(store).problems] == [("body.missing", 20)]

    def test_a_leaf_is_still_held_by_the_tree(self, store: Store) -> None:
        fill(store, 40, checkpoint_every=10)
        retain(store, days=1, actor="me", now_ms=at(20))
        run(store, "UPDATE log SET leaf = ? WHERE seq = 3", bytes(32))
        found = verify(store).problems[0]
        assert (found.kind, found.seq, found.to_seq) == ("checkpoint.root", 0, 9)
