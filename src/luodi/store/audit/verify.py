"""Verification of the whole log, with no server: rows, tree, checkpoints, witnesses, releases and content.

One pass in batches. Memory grows with the notes of witnesses and the ids of erased content only.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from hashlib import sha256
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luodi.errors import IntegrityError, StoreError
from luodi.store.audit.explained import Explained
from luodi.store.audit.heads import Head, Heads
from luodi.store.audit.log import COLUMNS, fit
from luodi.store.audit.note import TrustedKeys, origin_of
from luodi.store.audit.payload import PayloadKeys, unseal
from luodi.store.audit.reading import rows_of, snapshot
from luodi.store.audit.report import Report
from luodi.store.audit.tree import Frontier
from luodi.store.tx import Tx

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    from luodi.store import Store

try:
    from orjson import loads
except ModuleNotFoundError:
    from json import loads  # type: ignore[assignment]

_columns = itemgetter(*COLUMNS)
_NARROW = {"checkpoint.root", "anchor.root", "state.root"}
_SUSPECTS = 10_000


def verify(
    store: Store,
    *,
    anchors: Sequence[Path] = (),
    trusted: TrustedKeys | None = None,
    content: bool = True,
    tsa_roots: Sequence[Certificate] = (),
) -> Report:
    """Check everything that can be checked, and list what is wrong; nothing stops it.

    Args:
        anchors: witness files. Without one, cutting off the log's end and an insider who signs anew are not found.
        trusted: keys whose signatures count; by default those the store trusts.
        content: also open every payload and compare it with its commitment. Needs the store's payload keys.
        tsa_roots: root certificates for the signatures of RFC 3161 time stamps.

    Raises:
        StoreError: the database or a witness file can't be read at all.
    """
    began = time.monotonic()
    report = Report()
    with snapshot(store.database) as tx:
        found = tx.all("SELECT leaf FROM log WHERE seq = 0")
        origin = origin_of(bytes(found[0][0])) if found else None
        heads = Heads(tx, report, origin, store.keys.trusted() if trusted is None else trusted, anchors, tsa_roots)
        keys = PayloadKeys(store.keys.root)
        _Pass(tx, report, heads, keys if content and keys.numbers() else None).run()
    report.seconds = time.monotonic() - began
    return report


class _Pass:
    def __init__(self, tx: Tx, report: Report, heads: Heads, keys: PayloadKeys | None) -> None:
        self.tx = tx
        self.report = report
        self.heads = heads
        self.keys = keys
        self.explained = Explained(tx)
        self.releases: dict[tuple[Any, Any], str] = {
            (f"{name}@{version}", digest): verdict
            for name, version, digest, verdict in tx.all("SELECT name, version, digest, verdict FROM releases")
        }
        self.tree = Frontier()
        self.gap = False  # a row is missing: no root after it can be computed
        self.mark = Frontier()  # the tree at the last root that was right
        self.good: dict[str, int] = {}  # size of the last right root by source
        self.wrong: dict[str, int] = {}  # place in the report of the first wrong one by source
        self.suspects: dict[int, tuple[bytes, int]] = {}  # rows whose body and leaf differ: hash, place in the report

    def run(self) -> None:
        queue = self.heads.in_order()
        head = self._judge(queue, next(queue, None), 0)
        expected = 0
        for batch in rows_of(self.tx, ", ".join((*COLUMNS, "body", "leaf"))):
            sealed = self._sealed(batch[0][0], batch[-1][0])
            for row in batch:
                if row[0] != expected:
                    self.report.add("record.missing", expected, row[0] - 1)
                    self.gap = True
                    expected = row[0]
                self._row(row, sealed)
                self.tree.append(row[9])
                expected += 1
                if head is not None and head.size <= expected:
                    head = self._judge(queue, head, expected)
            self.report.rows += len(batch)
        self._ends(queue, head, expected)
        self._narrow()
        for (id,) in self.tx.all("SELECT id FROM log GROUP BY id HAVING count(*) > 1 LIMIT 100"):
            self.report.add("record.twice", id=id)
        for (id,) in self.tx.all(
            "SELECT id FROM payloads WHERE NOT EXISTS (SELECT 1 FROM log WHERE log.id = payloads.id) LIMIT 100"
        ):
            self.report.add("payload.orphan", id=id)

    def _sealed(self, low: int, high: int) -> dict[str, bytes]:
        sql = "SELECT p.id, p.sealed FROM payloads p JOIN log l ON l.id = p.id WHERE l.seq BETWEEN ? AND ?"
        if self.keys is None:
            sql = sql.replace("p.sealed", "0")
        return dict(self.tx.all(sql, (low, high)))

    def _row(self, row: tuple[Any, ...], sealed: dict[str, bytes]) -> None:
        seq, id, kind, body = row[0], row[1], row[3], row[8]
        if body is None:
            self.report.bodies_let_go += 1
            self.report.payloads_not_checked += id in sealed
            if not self.explained.body(seq, kind):
                self.report.add("body.missing", seq, id=id)
            return
        data = body.encode("utf-8", "surrogateescape")
        own = sha256(b"\0" + data).digest()
        if own != row[9]:
            place = self.report.add("record.body", seq, id=id)
            if len(self.suspects) < _SUSPECTS:
                self.suspects[seq] = (own, place)
            return
        try:
            value = loads(data)
            if _columns(value) != row[:8]:
                self._differs(value, row)
        except (ValueError, KeyError, TypeError):
            self.report.add("record.json", seq, id=id)
            return
        if value["kind"] == "call":
            self.report.calls += 1
            named = (value.get("release") or value["subject"], value.get("release_digest"))
            if self.releases.get(named) != "pass":
                self._release(value, seq, id)
        if "content" in value or id in sealed:
            self._content(value, seq, sealed.get(id))

    def _differs(self, value: dict[str, Any], row: tuple[Any, ...]) -> None:
        for name, kept in zip(COLUMNS, row[:8], strict=True):
            said = value[name]
            if name in ("kind", "actor", "subject", "outcome"):
                said = fit(name, said)
            if said == kept:
                continue
            if name == "seq":
                by = f"{abs(said - kept)} {'later' if said > kept else 'earlier'}"
                self.report.add("record.moved", row[0], id=row[1], detail=by)
            else:
                detail = f"{name}: {kept!r}, signed {said!r}"
                self.report.add("record.column", row[0], id=row[1], detail=detail)

    def _release(self, value: dict[str, Any], seq: int, id: str) -> None:
        name, digest = value.get("release") or value["subject"], value.get("release_digest")
        if not name and not digest:
            return  # refused before a release was chosen
        verdict = self.releases.get((name, digest))
        if (
            not digest and value["outcome"] == "interrupted"
        ):  # settled after a kill, when its name was all that was left
            verdict = next((v for (n, _), v in self.releases.items() if n == name), None)
        if verdict != "pass":
            kind = "release.unknown" if verdict is None else "release.blocked"
            about = f"{name} {str(digest or '?')[:12]}"
            self.report.add(kind, seq, id=id, detail=f"{about}: {verdict}" if verdict else about)

    def _content(self, value: dict[str, Any], seq: int, sealed: bytes | None) -> None:
        id, commitment = value["id"], value.get("content")
        if sealed is None:
            if commitment and not self.explained.payload(id, value["time_ms"]):
                self.report.add("payload.missing", seq, id=id)
            self.report.payloads_let_go += bool(commitment)
            return
        if not commitment:
            self.report.add("payload.unclaimed", seq, id=id)
            return
        if self.keys is None:
            self.report.payloads_not_checked += 1
            return
        try:
            if unseal(id, bytes(sealed), self.keys)[0] != commitment:
                raise IntegrityError("it is not what the row commits to")
            self.report.payloads += 1
        except IntegrityError as error:
            self.report.add("payload.changed", seq, id=id, detail=error.message)
        except StoreError as error:
            self.report.payloads_not_checked += 1
            self.report.add("payload.key", seq, id=id, detail=error.message)

    def _judge(self, queue: Iterator[Head], head: Head | None, size: int) -> Head | None:
        """Compare the heads of this size with the tree; returns the next one."""
        root: bytes | None = None
        while head is not None and head.size <= size:
            if self.gap:
                self.report.not_judged += 1
            else:
                root = root or self.tree.root()
                if root != head.root and head.size == size and self._leaf_was_changed(head):
                    root = self.tree.root()
                self._compare(head, root)
            head = next(queue, None)
        return head

    def _compare(self, head: Head, root: bytes) -> None:
        if root == head.root:
            self.report.checkpoints += head.family == "checkpoint"
            self.report.anchors += head.family == "anchor"
            self.good[head.source] = head.size
            if head.source not in self.wrong and head.size > self.mark.size:
                self.mark = self.tree.copy()
                self.suspects.clear()
        elif head.source in self.wrong:
            self.report.not_judged += 1
        else:
            # An insider's own checkpoints agree with what he wrote: they narrow nothing down for a witness.
            low = self.good.get(head.source, 0) if head.family == "anchor" else max(self.good.values(), default=0)
            detail = f"{head.source} at {head.size} rows" if head.family == "anchor" else f"at {head.size} rows"
            place = self.report.add(f"{head.family}.root", low, max(head.size - 1, low), detail=detail)
            self.wrong[head.source] = place

    def _leaf_was_changed(self, head: Head) -> bool:
        """Whether the bodies, rather than the leaves beside them, are what was signed; the tree is then that."""
        if not self.suspects or head.size < self.mark.size:
            return False
        tree = self.mark.copy()
        for batch in rows_of(self.tx, "seq, leaf", self.mark.size, head.size):
            for seq, leaf in batch:
                tree.append(self.suspects[seq][0] if seq in self.suspects else leaf)
        if tree.root() != head.root:
            return False
        for _, place in self.suspects.values():
            self.report.problems[place] = replace(self.report.problems[place], kind="record.leaf")
        self.tree = tree
        return True

    def _ends(self, queue: Iterator[Head], head: Head | None, count: int) -> None:
        """Who knows of more rows than there are, and rows that the log's state does not know of."""
        longest: dict[str, int] = {}
        while head is not None:
            longest[head.source] = max(head.size, longest.get(head.source, 0))
            head = next(queue, None)
        for source, size in longest.items():
            self.report.add("log.truncated", count, size - 1, detail=f"{source}: {size}")
        if self.heads.state is not None and self.heads.state.size < count:
            self.report.add("state.size", self.heads.state.size, count - 1)

    def _narrow(self) -> None:
        """Perfect subtrees whose roots the log's state still has as they were tell where a change is not."""
        state = self.heads.state
        if state is None or self.gap or state.size != self.tree.size or "state" not in self.wrong:
            return
        bad, low = [], 0
        for then, now in zip(state.nodes, self.tree.nodes, strict=True):
            high = low + (1 << ((state.size - low).bit_length() - 1))
            if then != now:
                bad.append((low, high))
            low = high
        for place, problem in enumerate(self.report.problems):
            if problem.kind in _NARROW and problem.seq is not None and problem.to_seq is not None:
                parts = [(max(a, problem.seq), min(b - 1, problem.to_seq)) for a, b in bad]
                parts = [(a, b) for a, b in parts if a <= b]
                if parts:
                    self.report.problems[place] = replace(problem, seq=parts[0][0], to_seq=parts[-1][1])
