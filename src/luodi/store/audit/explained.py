"""What the log says of itself that is no longer there: erased content, bodies and content let go by policy."""

from __future__ import annotations

import json
from bisect import bisect_right
from typing import Any

from luodi.store.tx import Tx


class Explained:
    """Read from rows of the kinds `audit.erased` and `audit.retention`, which are verified like all others."""

    def __init__(self, tx: Tx) -> None:
        self._erased: set[str] = set()
        self._before_ms = 0  # content of rows older than this was let go
        self._ranges: list[tuple[int, int]] = []
        self._kept: set[int] = set()
        seq = -1
        while True:
            found = tx.all(
                "SELECT seq, body FROM log WHERE kind IN ('audit.erased', 'audit.retention') AND seq > ?"
                " ORDER BY seq LIMIT 500",
                (seq,),
            )
            for _, body in found:
                try:
                    self._take(json.loads(body)["data"])
                except (ValueError, KeyError, TypeError):
                    continue  # damaged: verification says so when it comes to this row
            if len(found) < 500:
                break
            seq = found[-1][0]
        self._ranges.sort()

    def _take(self, data: dict[str, Any]) -> None:
        self._erased.update(data.get("ids", ()))
        self._before_ms = max(self._before_ms, data.get("content_before_ms", 0))
        if "first_seq" in data:
            self._ranges.append((data["first_seq"], data["last_seq"]))
            self._kept.update(data["kept"])

    def body(self, seq: int, kind: str) -> bool:
        """Whether the body of this row was let go by policy."""
        place = bisect_right(self._ranges, (seq, 1 << 62)) - 1
        inside = place >= 0 and self._ranges[place][0] <= seq <= self._ranges[place][1]
        return inside and seq not in self._kept and not kind.startswith("audit.")

    def payload(self, id: str, time_ms: int) -> bool:
        """Whether the content of this record was erased, or let go by policy."""
        return id in self._erased or time_ms < self._before_ms
