"""Cell of memory: of a fresh server at rest, and what a hundred thousand requests add."""

from __future__ import annotations

from benchmarks.gateway.bench import BARE, LITELLM, LUODI, Bench, settle, why
from benchmarks.gateway.figures import Row, missing, row
from benchmarks.gateway.load import closed

LONGEST_S = 300.0
CONNECTIONS = 16


def memory(bench: Bench) -> list[Row]:
    return [r for name in (LUODI, BARE, LITELLM) for r in _of(bench, name)]


def _of(bench: Bench, name: str) -> list[Row]:
    idle, grown = f"{name}: memory idle", f"{name}: memory growth over 100,000 requests"
    warm, number, rows = bench.size.warm, bench.size.requests, []
    bench.control()
    try:
        with bench.start(name) as subject:
            settle(2)
            peer = f"resident, all its processes; answered {subject.start_s:.1f} s after its start"
            rows.append(row(idle, [subject.rss_mb()], "MB", "memory", peer))
            first = closed(subject.target, CONNECTIONS, number=max(1, warm // 100)).check()
            needed = (warm + number) / first.rate
            if needed > LONGEST_S:
                reason = f"at {first.rate:,.0f} a second it would take {needed / 60:.0f} minutes"
                return [*rows, missing(grown, "%", "memory", reason)]
            closed(subject.target, CONNECTIONS, number=warm).check()
            settle(2)
            before = subject.rss_mb()
            closed(subject.target, CONNECTIONS, number=number).check()
            settle(2)
            after = subject.rss_mb()
            peer = f"{before:.1f} MB after {warm:,} requests, {after:.1f} MB after {number:,} more"
            rows.append(row(grown, [(after / before - 1) * 100], "%", "memory", peer))
    except Exception as error:  # whatever it is, it is the reason
        reason = why(error)
        rows += [missing(t, u, "memory", reason) for t, u in ((idle, "MB"), (grown, "%"))[len(rows) :]]
    return rows
