"""Cells of whole answers: rate, CPU, latency, cache hit, sweep."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.gateway.bench import BARE, CACHED, DIRECT, LITELLM, LUODI, Bench
from benchmarks.gateway.figures import Row, missing, row, row_or_missing
from benchmarks.gateway.load import Load, closed
from benchmarks.gateway.subject import Subject, core_s

WARM_S = 0.3
LEVELS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
SUBJECTS = (LUODI, BARE, LITELLM)


@dataclass(frozen=True, slots=True)
class Taken:
    """A load, and the processor seconds that subject, mock and others spent meanwhile."""

    load: Load
    subject_s: float
    mock_s: float
    others_s: float  # of core 0

    @property
    def cpu_us(self) -> float:
        """Of the subject, a completion."""
        return self.subject_s / self.load.completed * 1e6

    @property
    def harness_share(self) -> float:
        """Of core 1."""
        return (self.mock_s + self.load.cpu_s) / self.load.seconds


def take(bench: Bench, subject: Subject, connections: int, *, unique: bool = True, seconds: float = 0.0) -> Taken:
    """Warm up, then measure.

    Raises:
        RuntimeError: a request failed, or was answered without the upstream though its prompt was new.
    """
    closed(subject.target, connections, seconds=WARM_S, unique=unique).check()
    bench.control()
    before, mock, core = subject.cpu_s(), bench.mock.cpu_s(), core_s()
    load = closed(subject.target, connections, seconds=seconds or bench.size.seconds, unique=unique).check()
    spent = subject.cpu_s() - before
    taken = Taken(load, spent, bench.mock.cpu_s() - mock, max(0.0, core_s() - core - spent))
    asked = bench.asked()
    if unique and asked < load.completed:
        raise RuntimeError(f"{load.completed} new prompts were answered, but the upstream was asked {asked} times")
    if not unique and asked > 1:
        raise RuntimeError(f"the same prompt {load.completed} times: the upstream was asked {asked} times")
    return taken


def rate(bench: Bench) -> list[Row]:
    """Requests a second on one core at 16 connections."""
    found = bench.mixed([DIRECT, *SUBJECTS], lambda s: take(bench, s, 16))
    about = {n: s.about for n, s in bench.subjects.items()}
    speed: Callable[[Taken, Taken], float] = lambda a, b: a.load.rate / b.load.rate  # noqa: E731
    rows = [
        row_or_missing(
            f"{name}: requests a second, 16 connections",
            found.pick(name, lambda t: t.load.rate), "/s", "rate", found.reason(name), about.get(name, "the mock"),
        )
        for name in (LUODI, LITELLM, BARE, DIRECT)
    ]  # fmt: skip
    for title, name, other in (
        ("governed rate over LiteLLM's", LUODI, LITELLM),
        ("governed rate over the bare proxy's", LUODI, BARE),
        ("bare proxy's rate over LiteLLM's", BARE, LITELLM),
    ):
        ratios, reason = found.pairs(name, other, speed), found.reason(name, other)
        rows.append(row_or_missing(title, ratios, "×", "rate", reason, "same round"))
    others = [t.others_s / t.load.seconds for n in SUBJECTS for t in found.values[n]]
    peer = "all rounds of all subjects"
    rows.append(row_or_missing("harness: share of core 0 taken by others", others, "", "rate", None, peer))
    fastest = max((n for n in SUBJECTS if found.values[n]), key=lambda n: found.values[n][0].load.rate, default=None)
    for title, unit in (("harness: direct rate over the fastest subject's", "×"), ("harness: share of core 1", "")):
        if fastest is None:
            rows.append(missing(title, unit, "rate", "no subject could be measured"))
        elif unit:
            rows.append(row(title, found.pairs(DIRECT, fastest, speed), unit, "rate", fastest))
        else:
            rows.append(row(title, found.pick(fastest, lambda t: t.harness_share), unit, "rate", f"with {fastest}"))
    return rows


def cpu(bench: Bench) -> list[Row]:
    """Processor time a request at 8 connections."""
    peer = "8 connections, user and system time of all its processes"
    found = bench.mixed([*SUBJECTS, CACHED], lambda s: take(bench, s, 8))
    titles = {n: f"{n}: CPU a request" for n in SUBJECTS} | {CACHED: "governed: CPU a request that the cache misses"}
    return [
        row_or_missing(title, found.pick(n, lambda t: t.cpu_us), "µs", "cpu", found.reason(n), peer)
        for n, title in titles.items()
    ]


def latency(bench: Bench) -> list[Row]:
    """What each adds to a call, one at a time: its percentile less the direct one of the same round."""
    found = bench.mixed([DIRECT, *SUBJECTS], lambda s: take(bench, s, 1))
    rows = []
    for title, share in (("p50", 0.5), ("p99", 0.99)):
        direct = sorted(found.pick(DIRECT, _percentile(share))) or [0.0]
        peer = f"1 connection, less direct ({direct[len(direct) // 2]:.3f} ms)"
        for name in SUBJECTS:
            values = found.pairs(name, DIRECT, _added(share))
            reason = found.reason(name, DIRECT)
            text = f"{name}: added latency {title}"
            rows.append(row_or_missing(text, values, "ms", "latency", reason, peer))
    return rows


def _percentile(share: float) -> Callable[[Taken], float]:
    return lambda taken: taken.load.percentile(share) * 1000


def _added(share: float) -> Callable[[Taken, Taken], float]:
    of = _percentile(share)
    return lambda a, b: of(a) - of(b)


def hit(bench: Bench) -> list[Row]:
    """Processor time of an answer from the exact cache, at 8 connections; the upstream is not asked."""
    found = bench.mixed([CACHED], lambda s: take(bench, s, 8, unique=False))
    values, reason = found.pick(CACHED, lambda t: t.cpu_us), found.reason(CACHED)
    rates = found.pick(CACHED, lambda t: t.load.rate)
    peer = f"{sorted(rates)[len(rates) // 2]:,.0f} a second" if rates else ""
    return [row_or_missing("governed: CPU an exact-cache hit", values, "µs", "hit", reason, peer)]


def sweep(bench: Bench) -> list[Row]:
    """Rate and p99 from one connection to many."""
    rows = []
    for level in LEVELS:
        found = bench.mixed([LUODI, BARE], _at(bench, level))
        peers = []
        for name in (LUODI, BARE):
            if found.values[name]:
                p99 = sorted(found.pick(name, lambda t: t.load.percentile(0.99) * 1000))
                rates = sorted(found.pick(name, lambda t: t.load.rate))
                middle = len(rates) // 2
                text = f"p99 {p99[middle]:.1f} ms"
                peers.append(text if name == LUODI else f"{name} {rates[middle]:,.0f} /s, {text}")
        title = f"governed: requests a second, {level} connection{'s' if level > 1 else ''}, sweep"
        values, reason = found.pick(LUODI, lambda t: t.load.rate), found.reason(LUODI)
        made = row_or_missing(title, values, "/s", "sweep", reason, "; ".join(peers))
        if made["value"] is None and peers:
            made["peer"] += "; " + "; ".join(peers)
        rows.append(made)
    return rows


def _at(bench: Bench, level: int) -> Callable[[Subject], Taken]:
    return lambda subject: take(bench, subject, level, seconds=bench.size.seconds / 2)
