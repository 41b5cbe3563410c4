"""What the log must agree with: its checkpoints, the notes of witnesses, and its own state."""

from __future__ import annotations

import base64
import heapq
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luodi.errors import IntegrityError, MissingExtraError
from luodi.store.audit.anchor import read_notes, stamped_at
from luodi.store.audit.note import Note, TrustedKeys, parse, signer_of
from luodi.store.audit.report import Report
from luodi.store.audit.tree import Frontier
from luodi.store.tx import Tx

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

_BATCH = 1000


@dataclass(frozen=True, slots=True)
class Head:
    """The root that the log had at a size, and who says so: "checkpoint", "state", or a witness's file."""

    size: int
    root: bytes
    source: str

    @property
    def family(self) -> str:
        return self.source if self.source in ("checkpoint", "state") else "anchor"


class Heads:
    """Heads in the order of their sizes; what is wrong with one of itself goes to the report."""

    def __init__(
        self,
        tx: Tx,
        report: Report,
        origin: str | None,
        trusted: TrustedKeys,
        anchors: Sequence[Path],
        tsa_roots: Sequence[Certificate],
    ) -> None:
        self._tx = tx
        self._report = report
        self._origin = origin
        self._trusted = trusted
        self._tsa_roots = tsa_roots
        self._strangers: set[str] = set()  # sources that name another log, told once
        self._anchored = [head for path in anchors for head in self._witness(path)]
        self._forks()
        self.state = self._state()

    def in_order(self) -> Iterator[Head]:
        state = [Head(self.state.size, self.state.root(), "state")] if self.state is not None else []
        anchored = sorted(self._anchored, key=lambda h: h.size)
        return heapq.merge(self._checkpoints(), anchored, state, key=lambda h: h.size)

    def _state(self) -> Frontier | None:
        found = self._tx.all("SELECT size, frontier FROM log_state")
        try:
            if len(found) != 1:
                raise IntegrityError(f"{len(found)} states")
            return Frontier(found[0][0], bytes(found[0][1]))
        except IntegrityError as error:
            self._report.add("state.bad", detail=error.message)
            return None

    def _read(self, text: str, family: str, source: str, where: str) -> Note | None:
        """A note that is signed."""
        try:
            note = parse(text)
        except IntegrityError as error:
            self._report.add(f"{family}.bad", detail=f"{where}: {error.message}")
            return None
        try:
            signer_of(note, self._trusted)
        except IntegrityError as error:
            self._report.add(f"{family}.signature", detail=f"{where}: {error.message}")
            return None
        if self._origin and note.checkpoint.origin != self._origin and source not in self._strangers:
            self._strangers.add(source)
            self._report.add(f"{family}.origin", detail=f"{where}: of {note.checkpoint.origin}, this is {self._origin}")
        return note

    def _checkpoints(self) -> Iterator[Head]:
        size = -1
        while True:
            batch = self._tx.all(
                f"SELECT size, note, anchors FROM log_checkpoints WHERE size > ? ORDER BY size LIMIT {_BATCH}",  # noqa: S608
                (size,),
            )
            for size, text, anchors in batch:
                note = self._read(text, "checkpoint", "checkpoint", f"checkpoint at {size} rows")
                if note is not None and note.checkpoint.size != size:
                    self._report.add("checkpoint.size", detail=f"kept as {size} rows, signed as {note.checkpoint.size}")
                elif note is not None:
                    self._stamps(text, size, anchors)
                    yield Head(size, note.checkpoint.root, "checkpoint")
            if len(batch) < _BATCH:
                return

    def _stamps(self, note: str, size: int, anchors: str) -> None:
        if "rfc3161:" not in anchors:
            return
        try:
            entries: list[dict[str, Any]] = json.loads(anchors)
            stamps = [base64.b64decode(e["back"]) for e in entries if e["to"].startswith("rfc3161:") and "back" in e]
            for stamp in stamps:
                stamped_at(stamp, note, self._tsa_roots)
                self._report.stamps += 1
        except MissingExtraError:
            return
        except (IntegrityError, ValueError, KeyError, TypeError, AttributeError) as error:
            self._report.add("anchor.stamp", detail=f"checkpoint at {size} rows: {error}")

    def _witness(self, path: Path) -> Iterator[Head]:
        before = 0
        for number, text in enumerate(read_notes(path), 1):
            note = self._read(text, "anchor", str(path), f"{path}, note {number}")
            if note is None:
                continue
            size = note.checkpoint.size
            if size < before:
                self._report.add("anchor.order", detail=f"{path}, note {number}: {size} rows after {before}")
            before = max(before, size)
            yield Head(size, note.checkpoint.root, str(path))

    def _forks(self) -> None:
        roots: dict[int, Head] = {}
        for head in self._anchored:
            other = roots.setdefault(head.size, head)
            if other.root != head.root:
                detail = f"{other.source} and {head.source} hold two roots of {head.size} rows"
                self._report.add("anchor.fork", detail=detail)
