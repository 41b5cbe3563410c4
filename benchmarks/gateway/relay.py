"""Cells of streams: time to first token, CPU a chunk, and how many paced streams come through without a late chunk."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from statistics import median

from benchmarks.gateway.bench import BARE, DIRECT, LITELLM, LUODI, Bench, why
from benchmarks.gateway.figures import Row, row_or_missing
from benchmarks.gateway.streams import Streams, streams
from benchmarks.gateway.subject import Subject

PACE_MS, DELTAS = 20, 64
LATE_S = PACE_MS / 1000  # one interval after it may come
# The guard gives a word on once the next delta has come, so that nothing split over two gets past it. Its deltas may
# come one interval after they were sent, and are late one interval after that.
HELD_S = PACE_MS / 1000
LENGTH_S = PACE_MS * DELTAS / 1000
SUBJECTS = (LUODI, BARE, LITELLM)
LEVELS = {
    DIRECT: (512, 1024),
    LUODI: (64, 128, 256, 512, 768, 1024),
    BARE: (64, 128, 256, 512, 768, 1024),
    LITELLM: (1, 8, 32, 64),
}


def stream(bench: Bench) -> list[Row]:
    """Added time to first token, one stream at a time; and CPU a chunk with 64 paced streams."""
    bench.control(pace_ms=5, deltas=8)
    each = max(8, int(bench.size.seconds * 15))
    first = bench.mixed([DIRECT, *SUBJECTS], lambda s: _first(s, each))
    rows = []
    for name in SUBJECTS:
        values, reason = first.pairs(name, DIRECT, lambda a, b: (a - b) * 1000), first.reason(name, DIRECT)
        title = f"{name}: added time to first token p50"
        rows.append(row_or_missing(title, values, "ms", "stream", reason, "1 stream, less direct"))
    bench.control(pace_ms=PACE_MS, deltas=DELTAS)
    chunk = bench.mixed(SUBJECTS, lambda s: _chunk(s, bench.size.streams))
    for name in SUBJECTS:
        values, reason = chunk.pick(name, lambda us: us), chunk.reason(name)
        peer = "64 streams of 64 × 20 ms; all the CPU of the streams, by deltas"
        rows.append(row_or_missing(f"{name}: CPU a relayed chunk", values, "µs", "stream", reason, peer))
    return rows


def _first(subject: Subject, each: int) -> float:
    streams(subject.target, 1, each=3, deltas=8).check()
    found = streams(subject.target, 1, each=each, deltas=8).check()
    return median(s.first - s.began for s in found.good)


def _chunk(subject: Subject, each: int) -> float:
    streams(subject.target, 64, each=1, spread_s=0.2).check()
    before = subject.cpu_s()
    found = streams(subject.target, 64, each=each, spread_s=LENGTH_S).check()
    return (subject.cpu_s() - before) / sum(len(s.lags) for s in found.good) * 1e6


@dataclass(slots=True)
class Climb:
    """How far one got: by round, the highest level up to which all streams were clean; what was seen at each level."""

    best: list[int]
    seen: list[str] = field(default_factory=list)
    going: bool = True


def frontier(bench: Bench) -> list[Row]:
    """Paced streams without a late chunk: levels are climbed until most rounds at one have a late chunk or an error."""
    bench.control(pace_ms=PACE_MS, deltas=DELTAS)
    rounds = min(3, bench.size.rounds)
    climbs = {n: Climb([0] * rounds) for n in LEVELS if n == DIRECT or n in bench.subjects}
    for level in sorted({level for levels in LEVELS.values() for level in levels}):
        found: dict[str, list[Streams]] = {n: [] for n, c in climbs.items() if c.going and level in LEVELS[n]}
        for number in range(rounds):
            for name in sorted(found, reverse=number % 2 == 1):
                with bench.running(name) as subject:
                    found[name].append(_run(bench, subject, level))
        for name, runs in found.items():
            _judge(climbs[name], level, runs, LATE_S + (HELD_S if name == LUODI else 0))
            print(f"  {name} {climbs[name].seen[-1]}", flush=True)
    rows = []
    for name in (LUODI, BARE, LITELLM, DIRECT):
        climb = climbs.get(name, Climb([]))
        title = f"{name}: paced streams without a late chunk"
        held = "20 ms are the guard's hold-back, late is 20 ms after that; " if name == LUODI else ""
        rows.append(
            row_or_missing(
                title, climb.best, "", "frontier", bench.reasons.get(name), held + "clean at " + "; ".join(climb.seen)
            )
        )
    return rows


def _run(bench: Bench, subject: Subject, level: int) -> Streams:
    try:
        return streams(subject.target, level, each=bench.size.streams, spread_s=LENGTH_S)
    except OSError as error:
        return Streams(0.0, [], Counter({why(error): 1}))


def _judge(climb: Climb, level: int, runs: list[Streams], late_s: float) -> None:
    clean = [run.clean(late_s) == len(run.streams) and not run.errors for run in runs]
    for number, good in enumerate(clean):
        if good:
            climb.best[number] = level
    share = median(run.clean(late_s) / max(1, len(run.streams) + sum(run.errors.values())) for run in runs)
    lags = [lag for run in runs for s in run.good for lag in s.lags]
    text = f"{level}: {share:.1%}" + (
        f", lag p50 {median(lags) * 1000:.1f} max {max(lags) * 1000:.0f} ms" if lags else ""
    )
    errors = sum((run.errors for run in runs), start=Counter[str]())
    climb.seen.append(text + (f", {dict(errors.most_common(2))}" if errors else ""))
    climb.going = sum(clean) * 2 > len(clean)
