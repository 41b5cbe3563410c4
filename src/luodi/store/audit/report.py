"""What verification found."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

# Every kind of problem. `luodi audit verify` has a text for each in both languages.
KINDS = (
    "record.missing", "record.body", "record.leaf", "record.json", "record.column", "record.moved", "record.twice",
    "body.missing", "log.truncated", "state.root", "state.size", "state.bad",
    "checkpoint.bad", "checkpoint.signature", "checkpoint.origin", "checkpoint.size", "checkpoint.root",
    "anchor.bad", "anchor.signature", "anchor.origin", "anchor.order", "anchor.fork", "anchor.root", "anchor.stamp",
    "payload.missing", "payload.changed", "payload.unclaimed", "payload.orphan", "payload.key",
    "release.unknown", "release.blocked",
)  # fmt: skip
_LISTED = 1000


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, and where: rows `seq` … `to_seq`, or None where no row is meant."""

    kind: str
    seq: int | None = None
    to_seq: int | None = None
    id: str = ""
    detail: str = ""

    def as_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, "seq": self.seq, "to_seq": self.to_seq, "id": self.id, "detail": self.detail}


@dataclass(slots=True)
class Report:
    """Counts are of what was checked; the first thousand problems are listed, all are counted."""

    problems: list[Problem] = field(default_factory=list)
    problem_count: int = 0
    rows: int = 0
    calls: int = 0
    bodies_let_go: int = 0
    checkpoints: int = 0
    anchors: int = 0
    stamps: int = 0
    not_judged: int = 0  # checkpoints after the place where the log can't be rebuilt
    payloads: int = 0
    payloads_not_checked: int = 0
    payloads_let_go: int = 0
    seconds: float = 0.0
    _newest: dict[str, int] = field(default_factory=dict, repr=False)  # place of the last problem of each kind

    @property
    def ok(self) -> bool:
        return not self.problem_count

    @property
    def rows_per_second(self) -> float:
        return self.rows / self.seconds if self.seconds else 0.0

    def add(self, kind: str, seq: int | None = None, to_seq: int | None = None, id: str = "", detail: str = "") -> int:
        """Note a problem; one that goes on from row to row is one. Returns its place in the list."""
        assert kind in KINDS, kind
        to_seq = seq if to_seq is None else to_seq
        place = self._newest.get(kind, -1)
        last = self.problems[place] if place >= 0 else None
        if last and seq is not None and (last.detail, last.to_seq) == (detail, seq - 1):
            self.problems[place] = replace(last, to_seq=to_seq, id="")
            return place
        self.problem_count += 1
        if len(self.problems) < _LISTED:
            self._newest[kind] = len(self.problems)
            self.problems.append(Problem(kind, seq, to_seq, id, detail))
        return len(self.problems) - 1

    def as_dict(self) -> dict[str, Any]:
        names = [n for n in self.__slots__ if n not in ("problems", "_newest")]
        found = {n: getattr(self, n) for n in names}
        return {"ok": self.ok, **found, "seconds": round(self.seconds, 3)}
