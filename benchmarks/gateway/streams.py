"""Many streams at once, and when each of their events came.

While it runs it only notes bytes and times; what they say is read afterwards, so that reading makes no event late.
A delta's content is the time at which the mock sent it (`stamp.py`); both clocks are the same machine's.
"""

from __future__ import annotations

import gc
import json
import select
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from benchmarks.gateway.stamp import stamped
from benchmarks.gateway.wire import Target, connect, requests

SILENCE_S = 30.0
_END = b"\r\n0\r\n\r\n"


@dataclass(slots=True)
class Stream:
    """One stream. Times are seconds of the monotonic clock.

    Attributes:
        first: arrival of the first content.
        lags: of every delta, arrival less the time at which the mock sent it.
        gaps: between one content event and the next.
        events: server-sent events, those without content and `[DONE]` too.
    """

    began: float
    first: float = 0.0
    lags: list[float] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)
    events: int = 0
    error: str = ""

    def late(self, limit_s: float) -> int:
        """Deltas that came more than `limit_s` after they were sent."""
        return sum(lag > limit_s for lag in self.lags)


@dataclass(slots=True)
class Streams:
    """All streams of a run."""

    seconds: float
    streams: list[Stream]
    errors: Counter[str]

    @property
    def good(self) -> list[Stream]:
        return [s for s in self.streams if not s.error]

    @property
    def events(self) -> int:
        return sum(s.events for s in self.streams)

    def clean(self, limit_s: float) -> int:
        """Streams without an error and without a late delta."""
        return sum(not s.late(limit_s) for s in self.good)

    def check(self) -> Streams:
        """Raises: RuntimeError if a stream failed."""
        if self.errors or not self.streams:
            raise RuntimeError(f"{len(self.good)} whole streams, errors: {dict(self.errors.most_common(3))}")
        return self


class _Open:
    __slots__ = ("began", "left", "parts", "sock", "tail")

    def __init__(self, port: int, left: int) -> None:
        self.sock, self.left = connect(port), left
        self.began, self.tail = 0.0, b""
        self.parts: list[tuple[float, bytes]] = []


def streams(target: Target, connections: int, *, each: int = 1, spread_s: float = 0.0, deltas: int = 64) -> Streams:
    """Run `each` streams one after the other on every connection; the first ones begin spread over `spread_s`.

    Args:
        deltas: how many a stream must bring; with fewer it failed.
    """
    gc.collect()
    gc.disable()
    try:
        seconds, raw, errors = _run(target, connections, each, spread_s)
    finally:
        gc.enable()
    read = [_read(began, parts, deltas) for began, parts in raw]
    errors.update(s.error for s in read if s.error)
    return Streams(seconds, read, errors)


Raw = list[tuple[float, list[tuple[float, bytes]]]]


def _run(target: Target, connections: int, each: int, spread_s: float) -> tuple[float, Raw, Counter[str]]:
    fresh, clock, epoll, raw = requests(target, stream=True), time.monotonic, select.epoll(), []
    waiting = [_Open(target.port, each) for _ in range(connections)]
    slots = {o.sock.fileno(): o for o in waiting}
    for place in slots:
        epoll.register(place, select.EPOLLIN)
    errors: Counter[str] = Counter()
    began, heard, asked, flying = clock(), clock(), 0, 0
    while flying or asked < connections:
        now = clock()
        while asked < connections and now >= began + spread_s * asked / connections:
            waiting[asked].began = clock()
            waiting[asked].sock.send(fresh())
            asked, flying = asked + 1, flying + 1
        for place, _ in epoll.poll(0.001 if asked < connections else 1.0):
            slot = slots[place]
            try:
                data = slot.sock.recv(65536)
            except OSError:
                data = b""
            heard = clock()
            slot.parts.append((heard, data))
            slot.tail = (slot.tail + data)[-len(_END) :]
            refused = slot.parts[0][1][9:12] != b"200"
            if data and not refused and slot.tail != _END:
                continue
            flying -= 1
            if refused or not data:
                errors[(slot.parts[0][1][9:12].decode("latin-1") if refused else "") or "closed"] += 1
                slot.left = 0
                epoll.unregister(place)
            else:
                raw.append((slot.began, slot.parts))
                slot.left -= 1
            if slot.left:
                slot.parts, slot.tail, slot.began = [], b"", clock()
                slot.sock.send(fresh())
                flying += 1
        if flying and clock() - heard > SILENCE_S:
            errors["no event in time"] += flying
            break
    seconds = clock() - began
    for opened in waiting:
        opened.sock.close()
    epoll.close()
    return seconds, raw, errors


def _read(began: float, parts: list[tuple[float, bytes]], deltas: int) -> Stream:
    """What the bytes of one stream say."""
    made, text, ends = Stream(began), b"", []
    last = 0.0
    try:
        for came, event in _events(parts):
            made.events += 1
            if event == b"[DONE]":
                break
            value = json.loads(event)
            if "error" in value:
                made.error = "error in the stream"
            content = "".join((c.get("delta") or {}).get("content") or "" for c in value.get("choices", []))
            if content:
                text += content.encode()
                ends.append((len(text), came))
                made.first = made.first or came
                if last:
                    made.gaps.append(came - last)
                last = came
        else:
            made.error = "no [DONE]"
    except ValueError as error:
        made.error = f"malformed: {error}"
    place = 0
    for end, micros in stamped(text):
        while ends[place][0] < end:
            place += 1
        made.lags.append(ends[place][1] - micros / 1e6)
    if len(made.lags) != deltas and not made.error:
        made.error = "not all deltas came"
    return made


def _events(parts: list[tuple[float, bytes]]) -> Iterator[tuple[float, bytes]]:
    """(arrival of its last byte, data) of each server-sent event of a chunked response."""
    whole = b"".join(data for _, data in parts)
    ends, size = [], 0
    for came, data in parts:
        size += len(data)
        ends.append((size, came))
    place, part = whole.index(b"\r\n\r\n") + 4, 0
    rest = b""
    while True:
        line = whole.index(b"\r\n", place)
        length = int(whole[place:line], 16)
        if not length:
            return
        place = line + 2 + length + 2
        rest += whole[line + 2 : line + 2 + length]
        while ends[part][0] < place - 2:
            part += 1
        *events, rest = rest.split(b"\n\n")
        for event in events:
            for field_ in event.splitlines():
                if field_.startswith(b"data:"):
                    yield ends[part][1], field_[5:].strip()
