"""The attacks. Each is played on a log that verified a moment before; what is found must be where it was done."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import pytest
from auditing import (
    ask,
    body_of,
    call_row,
    fill,
    kinds,
    problems,
    rebuild_state,
    resign,
    run,
    set_body,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from luodi.store import Store
from luodi.store.audit import anchor_newest, append, make_checkpoint, verify
from luodi.store.audit.note import Checkpoint, origin_of, sign
from luodi.store.audit.tree import Frontier
from luodi.store.tx import tx_of

SIZE, EVERY = 53, 10


@pytest.fixture
def witness(tmp_path: Path) -> Path:
    return tmp_path / "witness.txt"


@pytest.fixture
def log(store: Store, witness: Path) -> Store:
    """53 calls, a checkpoint at every tenth and the last, each seen by a witness; it verifies."""
    for low in range(0, SIZE, EVERY):
        fill(store, min(EVERY, SIZE - low), start=low, checkpoint_every=EVERY)
        anchor_newest(store, [f"file:{witness}"])
    report = verify(store, anchors=[witness])
    assert report.ok, report.problems
    assert (report.rows, report.calls, report.checkpoints, report.anchors, report.payloads) == (SIZE, SIZE, 6, 6, SIZE)
    return store


class TestFoundWithoutAWitness:
    def test_a_body_is_edited(self, log: Store) -> None:
        set_body(log, 23, body_of(log, 23) | {"cost_nano_usd": 0}, leaf=False)
        (problem,) = problems(log)
        assert (problem.kind, problem.seq, problem.to_seq, problem.id) == ("record.body", 23, 23, "rec_00000023")

    def test_a_leaf_is_edited(self, log: Store) -> None:
        run(log, "UPDATE log SET leaf = ? WHERE seq = 23", sha256(b"x").digest())
        (problem,) = problems(log)
        assert (problem.kind, problem.seq) == ("record.leaf", 23), "the body is shown to be what was signed"

    def test_a_body_is_edited_with_its_leaf(self, log: Store) -> None:
        body = body_of(log, 23) | {"cost_nano_usd": 0}
        set_body(log, 23, body, leaf=True)
        run(log, "UPDATE log SET cost_nano_usd = 0 WHERE seq = 23")
        found = {p.kind: p for p in problems(log)}
        assert set(found) == {"checkpoint.root", "state.root"}
        assert (found["checkpoint.root"].seq, found["checkpoint.root"].to_seq) == (20, 29), "between two checkpoints"

    def test_in_the_tail_that_no_checkpoint_covers_yet(self, log: Store) -> None:
        fill(log, 1, start=SIZE)
        set_body(log, SIZE, body_of(log, SIZE) | {"surface": "x"}, leaf=True)
        (problem,) = problems(log)
        assert (problem.kind, problem.seq, problem.to_seq) == ("state.root", SIZE, SIZE)

    def test_the_state_narrows_it_down(self, log: Store) -> None:
        set_body(log, 50, body_of(log, 50) | {"surface": "x"}, leaf=True)
        first = problems(log)[0]
        # 53 = 32 + 16 + 4 + 1: the subtree of rows 48 … 51 is another, and the checkpoint before is at 50
        assert (first.kind, first.seq, first.to_seq) == ("checkpoint.root", 50, 51)

    def test_a_row_is_deleted(self, log: Store) -> None:
        run(log, "DELETE FROM log WHERE seq = 23")
        found = problems(log)
        assert [(p.kind, p.seq, p.to_seq) for p in found if p.kind == "record.missing"] == [("record.missing", 23, 23)]
        assert [p.id for p in found if p.kind == "payload.orphan"] == ["rec_00000023"]

    def test_many_rows_are_deleted(self, log: Store) -> None:
        run(log, "DELETE FROM log WHERE seq BETWEEN 0 AND 4 OR seq BETWEEN 20 AND 29")
        found = [(p.seq, p.to_seq) for p in problems(log) if p.kind == "record.missing"]
        assert found == [(0, 4), (20, 29)]

    def test_a_row_is_deleted_and_the_others_renumbered(self, log: Store) -> None:
        run(log, "DELETE FROM log WHERE seq = 23")
        for seq in range(24, SIZE):
            run(log, "UPDATE log SET seq = ? WHERE seq = ?", seq - 1, seq)
        rebuild_state(log)
        moved = next(p for p in problems(log) if p.kind == "record.moved")
        assert (moved.seq, moved.to_seq, moved.detail) == (23, SIZE - 2, "1 later")

    def test_two_rows_are_swapped(self, log: Store) -> None:
        for a, b in ((23, 999), (31, 23), (999, 31)):
            run(log, "UPDATE log SET seq = ? WHERE seq = ?", b, a)
        found = [(p.seq, p.detail) for p in problems(log) if p.kind == "record.moved"]
        assert found == [(23, "8 later"), (31, "8 earlier")]

    @pytest.mark.parametrize(
        ("column", "value"),
        [("time_ms", 1), ("actor", "other"), ("subject", "other@2"), ("cost_nano_usd", 0), ("outcome", "refused"),
         ("kind", "test"), ("id", "rec_x")],
    )  # fmt: skip
    def test_a_column_alone(self, log: Store, column: str, value: object) -> None:
        run(log, f"UPDATE log SET {column} = ? WHERE seq = 23", value)
        found = next(p for p in problems(log, content=False) if p.kind == "record.column")
        assert found.seq == 23 and found.detail.startswith(f"{column}: {value!r}, signed ")

    def test_rows_that_the_state_does_not_know(self, log: Store) -> None:
        state = ask(log, "SELECT size, frontier FROM log_state")[0]
        with log.database.begin() as connection:
            append(tx_of(connection), [call_row(SIZE), call_row(SIZE + 1)])
        run(log, "UPDATE log_state SET size = ?, frontier = ?", state[0], bytes(state[1]))
        (problem,) = problems(log)
        assert (problem.kind, problem.seq, problem.to_seq) == ("state.size", SIZE, SIZE + 1)

    def test_the_tail_alone_is_cut_off(self, log: Store) -> None:
        run(log, "DELETE FROM payloads WHERE id >= ?", "rec_00000040")
        run(log, "DELETE FROM log WHERE seq >= 40")
        found = problems(log)
        assert {(p.kind, p.seq, p.to_seq) for p in found} == {("log.truncated", 40, 52)}
        assert {p.detail for p in found} == {"checkpoint: 53", "state: 53"}

    def test_all_rows_are_deleted(self, log: Store, witness: Path) -> None:
        run(log, "DELETE FROM payloads")
        run(log, "DELETE FROM log")
        assert set(kinds(verify(log, anchors=[witness]))) == {"log.truncated"}

    def test_a_checkpoint_is_forged(self, log: Store) -> None:
        note = ask(log, "SELECT note FROM log_checkpoints WHERE size = 20")[0][0]
        other = ask(log, "SELECT note FROM log_checkpoints WHERE size = 30")[0][0]
        run(log, "UPDATE log_checkpoints SET note = ? WHERE size = 20", note.replace("\n20\n", "\n21\n"))
        run(log, "UPDATE log_checkpoints SET note = ? WHERE size = 40", other)
        run(log, "UPDATE log_checkpoints SET note = ? WHERE size = 50", "nonsense")
        assert kinds(verify(log)) == ["checkpoint.signature", "checkpoint.size", "checkpoint.bad"]

    def test_a_checkpoint_with_a_foreign_key(self, log: Store, tmp_path: Path) -> None:
        stranger = Store(tmp_path / "stranger")
        leaves = [bytes(leaf) for (leaf,) in ask(log, "SELECT leaf FROM log ORDER BY seq")]
        tree = Frontier()
        for leaf in leaves:
            tree.append(leaf)
        note = sign(Checkpoint(origin_of(leaves[0]), SIZE, tree.root()), stranger.keys)
        run(log, "UPDATE log_checkpoints SET note = ? WHERE size = ?", note, SIZE)
        (problem,) = problems(log)
        assert problem.kind == "checkpoint.signature" and "53 rows" in problem.detail
        assert verify(log, trusted=stranger.keys.trusted()).problem_count == 5, "the other five are foreign to it"

    def test_content_is_swapped_between_records(self, log: Store) -> None:
        a, b = (ask(log, "SELECT sealed FROM payloads WHERE id = ?", f"rec_{n:08d}")[0][0] for n in (23, 31))
        run(log, "UPDATE payloads SET sealed = ? WHERE id = 'rec_00000023'", bytes(b))
        run(log, "UPDATE payloads SET sealed = ? WHERE id = 'rec_00000031'", bytes(a))
        assert [(p.kind, p.seq) for p in problems(log)] == [("payload.changed", 23), ("payload.changed", 31)]

    def test_content_is_sealed_anew_with_the_real_key(self, log: Store) -> None:
        from luodi.store.audit import PayloadKeys, seal

        _, sealed = seal("rec_00000023", {"answer": "never said"}, PayloadKeys(log.keys.root).current())
        run(log, "UPDATE payloads SET sealed = ? WHERE id = 'rec_00000023'", sealed)
        (problem,) = problems(log)
        assert (problem.kind, problem.seq) == ("payload.changed", 23) and "commits to" in problem.detail

    def test_content_is_deleted_in_silence(self, log: Store) -> None:
        run(log, "DELETE FROM payloads WHERE id = 'rec_00000023'")
        assert [(p.kind, p.seq) for p in problems(log)] == [("payload.missing", 23)]

    def test_content_that_no_row_commits_to(self, log: Store) -> None:
        fill(log, 1, start=SIZE, content=False)
        run(
            log,
            "INSERT INTO payloads SELECT ?, time_ms, subject, sealed FROM payloads WHERE id = 'rec_00000001'",
            f"rec_{SIZE:08d}",
        )
        run(
            log,
            "INSERT INTO payloads SELECT 'rec_none', time_ms, subject, sealed FROM payloads WHERE id = 'rec_00000001'",
        )
        assert kinds(verify(log)) == ["payload.unclaimed", "payload.orphan"]

    def test_a_body_is_taken_away_in_silence(self, log: Store) -> None:
        run(log, "UPDATE log SET body = NULL WHERE seq = 23")
        assert [(p.kind, p.seq) for p in problems(log)] == [("body.missing", 23)]

    def test_a_row_from_a_release_that_is_not_registered(self, log: Store) -> None:
        with log.database.begin() as connection:
            append(tx_of(connection), [call_row(SIZE, release_digest="cd" * 32), call_row(SIZE + 1, release_digest="")])
        make_checkpoint(log)
        found = problems(log)
        assert [(p.kind, p.seq) for p in found] == [("release.unknown", SIZE), ("release.unknown", SIZE + 1)]
        assert "helpdesk@1 cdcdcdcdcdcd" in found[0].detail

    def test_a_row_from_a_release_that_did_not_pass(self, log: Store) -> None:
        run(
            log,
            "INSERT INTO releases (name, version, digest, verdict, time_ms) VALUES ('helpdesk', 2, ?, 'block', 1)",
            "ef" * 32,
        )
        row = call_row(SIZE, release_digest="ef" * 32)._replace(subject="helpdesk@2")
        with log.database.begin() as connection:
            append(tx_of(connection), [row])
        (problem,) = problems(log)
        assert (problem.kind, problem.seq) == ("release.blocked", SIZE) and problem.detail.endswith(": block")

    def test_calls_that_were_refused_before_a_release_was_chosen_are_none(self, log: Store) -> None:
        refused = call_row(SIZE, release_digest="")._replace(subject="", outcome="denied")
        interrupted = call_row(SIZE + 1)._replace(outcome="interrupted", body={"error": "the gateway was killed"})
        with log.database.begin() as connection:
            append(tx_of(connection), [refused, interrupted])
        assert verify(log).ok
        with log.database.begin() as connection:
            append(tx_of(connection), [interrupted._replace(id="x", subject="ghost@1")])
        assert kinds(verify(log)) == ["release.unknown"]

    def test_all_at_once_is_told_apart(self, log: Store) -> None:
        set_body(log, 3, body_of(log, 3) | {"surface": "x"}, leaf=False)
        run(log, "UPDATE log SET actor = 'x' WHERE seq = 7")
        run(log, "DELETE FROM payloads WHERE id = 'rec_00000011'")
        set_body(log, 24, body_of(log, 24) | {"surface": "x"}, leaf=True)
        run(log, "DELETE FROM log WHERE seq = 44")
        found = [(p.kind, p.seq) for p in problems(log)]
        for wanted in (("record.body", 3), ("record.column", 7), ("payload.missing", 11), ("record.missing", 44)):
            assert wanted in found
        assert ("checkpoint.root", 20) in found


def test_a_flipped_byte_is_found_and_located(log: Store) -> None:
    bodies = [body for (body,) in ask(log, "SELECT body FROM log ORDER BY seq")]

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def flip(data: st.DataObject) -> None:
        seq = data.draw(st.integers(0, SIZE - 1))
        raw = bytearray(bodies[seq].encode())
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at] ^= data.draw(st.integers(1, 255))
        text = raw.decode("utf-8", "surrogateescape")
        if log.database.engine.dialect.name == "sqlite":
            run(log, "UPDATE log SET body = CAST(? AS TEXT) WHERE seq = ?", bytes(raw), seq)
        elif "\0" in text or any("\udc80" <= c <= "\udcff" for c in text):
            return  # PostgreSQL keeps no such text
        else:
            run(log, "UPDATE log SET body = ? WHERE seq = ?", text, seq)
        (problem,) = problems(log)
        assert (problem.kind, problem.seq, problem.to_seq) == ("record.body", seq, seq)
        run(log, "UPDATE log SET body = ? WHERE seq = ?", bodies[seq], seq)

    flip()
    assert verify(log).ok


class TestFoundByTheWitness:
    """What no log can show of itself: its key and all of its copies are in the insider's hands."""

    def cut(self, log: Store, rows: int) -> None:
        """Cut off the tail with everything that tells of it."""
        run(log, "DELETE FROM payloads WHERE id >= ?", f"rec_{rows:08d}")
        run(log, "DELETE FROM log WHERE seq >= ?", rows)
        run(log, "DELETE FROM log_checkpoints WHERE size > ?", rows)
        rebuild_state(log)

    def test_the_tail_is_cut_off(self, log: Store, witness: Path) -> None:
        self.cut(log, 40)
        assert verify(log).ok, "nothing in the database tells of it"
        (problem,) = problems(log, anchors=[witness])
        assert (problem.kind, problem.seq, problem.to_seq) == ("log.truncated", 40, 52)

    def test_the_tail_is_cut_off_and_the_log_goes_on(self, log: Store, witness: Path) -> None:
        self.cut(log, 40)
        for n in range(20):
            with log.database.begin() as connection:
                append(tx_of(connection), [call_row(1000 + n)])
        make_checkpoint(log)
        anchor_newest(log, [f"file:{witness}"])
        assert verify(log).ok
        found = problems(log, anchors=[witness])
        assert [(p.kind, p.seq, p.to_seq) for p in found] == [("anchor.root", 40, 49)]

    def test_a_shorter_log_is_put_to_the_same_witness(self, log: Store, witness: Path) -> None:
        self.cut(log, 40)
        fill(log, 5, start=40)
        make_checkpoint(log)
        anchor_newest(log, [f"file:{witness}"])
        assert "anchor.order" in kinds(verify(log, anchors=[witness]))

    def test_an_insider_rewrites_and_signs_anew(self, log: Store, witness: Path) -> None:
        set_body(log, 23, body_of(log, 23) | {"cost_nano_usd": 0}, leaf=True)
        run(log, "UPDATE log SET cost_nano_usd = 0 WHERE seq = 23")
        rebuild_state(log)
        resign(log)
        assert verify(log).ok, "nothing in the database tells of it"
        (problem,) = problems(log, anchors=[witness])
        assert (problem.kind, problem.seq, problem.to_seq) == ("anchor.root", 20, 29)

    def test_an_insider_rewrites_the_first_row(self, log: Store, witness: Path) -> None:
        set_body(log, 0, body_of(log, 0) | {"surface": "x"}, leaf=True)
        rebuild_state(log)
        resign(log)
        assert verify(log).ok
        assert kinds(verify(log, anchors=[witness])) == ["anchor.origin", "anchor.root"]

    def test_two_witnesses_that_were_told_two_histories(self, log: Store, witness: Path, tmp_path: Path) -> None:
        second = tmp_path / "second.txt"
        set_body(log, 52, body_of(log, 52) | {"surface": "x"}, leaf=True)
        rebuild_state(log)
        resign(log)
        run(log, "UPDATE log_checkpoints SET anchors = '[]'")
        anchor_newest(log, [f"file:{second}"])
        assert verify(log, anchors=[second]).ok
        found = kinds(verify(log, anchors=[witness, second]))
        assert "anchor.fork" in found and "anchor.root" in found

    def test_a_witness_that_was_edited(self, log: Store, witness: Path) -> None:
        text = witness.read_text()
        witness.write_text(text.replace("\n20\n", "\n24\n", 1))
        (problem,) = problems(log, anchors=[witness])
        assert problem.kind == "anchor.signature" and "note 2" in problem.detail
        witness.write_text(text[:-30])
        assert kinds(verify(log, anchors=[witness]))[0] in ("anchor.bad", "anchor.signature")
        witness.write_text("")
        assert verify(log, anchors=[witness]).anchors == 0


class TestABareHashChain:
    """The usual design: each row carries the hash of the one before. It passes where the tree with a witness does not."""

    @staticmethod
    def chain(bodies: list[str]) -> list[tuple[str, str]]:
        rows, before = [], ""
        for body in bodies:
            before = sha256((before + body).encode()).hexdigest()
            rows.append((body, before))
        return rows

    @staticmethod
    def holds(rows: list[tuple[str, str]]) -> bool:
        return TestABareHashChain.chain([body for body, _ in rows]) == rows

    def test_what_it_finds_and_what_it_does_not(self) -> None:
        rows = self.chain([json.dumps({"n": n}) for n in range(50)])
        assert self.holds(rows)
        assert not self.holds([*rows[:23], ('{"n": 0}', rows[23][1]), *rows[24:]]), "an edit is found"
        assert not self.holds(rows[:23] + rows[24:]), "a deletion is found"
        assert self.holds(rows[:40]), "a cut tail is NOT found"
        rewritten = self.chain(['{"n": 0}' if n == 23 else body for n, (body, _) in enumerate(rows)])
        assert self.holds(rewritten), "an insider who chains anew is NOT found"


def test_reading_does_not_hold_up_writing(log: Store) -> None:
    from luodi.store.audit.reading import rows_of, snapshot

    with snapshot(log.database) as tx:
        before = sum(len(b) for b in rows_of(tx, "seq"))
        fill(log, 3, start=SIZE)
        assert sum(len(b) for b in rows_of(tx, "seq")) == before == SIZE
    assert verify(log).rows == SIZE + 3


def test_an_empty_log(store: Store) -> None:
    report = verify(store)
    assert report.ok and report.rows == 0 and make_checkpoint(store) is None


def test_thousands_of_problems_are_counted_and_the_first_listed(store: Store) -> None:
    fill(store, 2500, content=False)
    run(store, "UPDATE log SET cost_nano_usd = 0 WHERE seq - 2 * (seq / 2) = 0")
    report = verify(store)
    assert report.problem_count == 1250 and len(report.problems) == 1000
