"""A closed loop of whole answers: so many connections, each with one request in flight, until a time or a number.

One thread over epoll, written out, so that what sends costs as little as what answers (`mock.py`).
"""

from __future__ import annotations

import gc
import select
import socket
import time
from array import array
from collections import Counter
from dataclasses import dataclass, field

from benchmarks.gateway.wire import Target, complete, connect, requests

SILENCE_S = 30.0  # without any answer, after which all that is in flight has failed
_CLOSES = (b"onnection: close", b"onnection: Close")


@dataclass(slots=True)
class Load:
    """What came of it. `errors` counts, by reason, every request that did not bring a completion."""

    seconds: float = 0.0
    cpu_s: float = 0.0
    latencies: array[float] = field(default_factory=lambda: array("d"))
    errors: Counter[str] = field(default_factory=Counter)

    @property
    def completed(self) -> int:
        return len(self.latencies)

    @property
    def rate(self) -> float:
        """Completions a second."""
        return self.completed / self.seconds

    def percentile(self, share: float) -> float:
        """Seconds that so large a share of the completions took at most."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    def check(self) -> Load:
        """This load. Raises: RuntimeError if a request failed: figures of a server that fails are none."""
        if self.errors or not self.completed:
            raise RuntimeError(f"{self.completed} completions, errors: {dict(self.errors.most_common(3))}")
        return self


class _Slot:
    __slots__ = ("began", "buffer", "sock")

    def __init__(self, sock: socket.socket) -> None:
        self.sock, self.buffer, self.began = sock, b"", 0.0


def closed(
    target: Target,
    connections: int,
    *,
    seconds: float = 0.0,
    number: int = 0,
    unique: bool = True,
) -> Load:
    """Ask for `seconds`, or `number` times; what is in flight then is waited for, and counted with its time."""
    gc.collect()
    gc.disable()
    try:
        return _Run(target, connections, unique).run(seconds, number)
    finally:
        gc.enable()


class _Run:
    def __init__(self, target: Target, connections: int, unique: bool) -> None:
        self._target, self._load = target, Load()
        self._next = requests(target, unique=unique)
        self._epoll = select.epoll()
        self._slots: dict[int, _Slot] = {}
        for _ in range(connections):
            self._open()

    def _open(self) -> _Slot:
        slot = _Slot(connect(self._target.port))
        self._slots[slot.sock.fileno()] = slot
        self._epoll.register(slot.sock.fileno(), select.EPOLLIN)
        return slot

    def _again(self, slot: _Slot) -> _Slot:
        """A new connection in the place of one that was closed."""
        del self._slots[slot.sock.fileno()]
        slot.sock.close()
        return self._open()

    def run(self, seconds: float, number: int) -> Load:
        load, slots, clock, poll, fresh = self._load, self._slots, time.monotonic, self._epoll.poll, self._next
        cpu, began, sent = time.process_time(), clock(), 0
        until = began + seconds if seconds else float("inf")
        for slot in list(slots.values()):
            if not number or sent < number:
                slot.began = clock()
                slot.sock.send(fresh())
                sent += 1
        flying, going = sent, True
        while flying:
            ready = poll(SILENCE_S)
            if not ready:
                load.errors["no answer in time"] += flying
                break
            for place, _ in ready:
                slot = slots[place]
                try:
                    data = slot.sock.recv(65536)
                except OSError:
                    data = b""
                if slot.buffer:
                    data = slot.buffer + data if data else b""
                if data and not complete(data):
                    slot.buffer = data
                    continue
                now = clock()
                flying -= 1
                slot.buffer = b""
                going = going and now < until
                if data.startswith(b"HTTP/1.1 200") and b'"choices"' in data and data.rstrip().endswith(b"}"):
                    load.latencies.append(now - slot.began)
                else:
                    load.errors[data[9:12].decode("latin-1") if data else "closed"] += 1
                if not data or _CLOSES[0] in data or _CLOSES[1] in data:
                    slot = self._again(slot)
                if going and (not number or sent < number):
                    slot.began = clock()
                    slot.sock.send(fresh())
                    sent += 1
                    flying += 1
        load.seconds, load.cpu_s = clock() - began, time.process_time() - cpu
        for slot in slots.values():
            slot.sock.close()
        self._epoll.close()
        return load
