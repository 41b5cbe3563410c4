"""Health of one upstream: after failures in a row it is left alone for a while, then tried with one call."""

from __future__ import annotations

import time
from collections.abc import Callable

FAILURES = 5
PAUSE_S = 10.0
_LONGEST_S = 120.0
_SMOOTH = 0.2


class Breaker:
    """Closed: calls pass. Open: none until the pause is over. Half open: one call decides.

    Attributes:
        latency_ms: time to the first piece, smoothed; 0 before the first.
        took_ms: time to the last, smoothed.
        in_flight: calls that are running now.
    """

    def __init__(
        self, *, failures: int = FAILURES, pause_s: float = PAUSE_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit, self._pause_s, self._clock = failures, pause_s, clock
        self._row = 0
        self._opened = 0  # times in a row
        self._until = 0.0
        self._trying = False
        self.latency_ms = 0.0
        self.took_ms = 0.0
        self.in_flight = 0

    @property
    def state(self) -> str:
        if not self._until:
            return "closed"
        return "open" if self._clock() < self._until else "half open"

    def allows(self) -> bool:
        """Whether a call may be tried now."""
        state = self.state
        return state == "closed" or (state == "half open" and not self._trying)

    def begin(self) -> None:
        self.in_flight += 1
        self._trying = self.state == "half open"

    def first(self, ms: float) -> None:
        self.latency_ms = ms if not self.latency_ms else (1 - _SMOOTH) * self.latency_ms + _SMOOTH * ms

    def took(self, ms: float) -> None:
        self.took_ms = ms if not self.took_ms else (1 - _SMOOTH) * self.took_ms + _SMOOTH * ms

    def end(self, *, failed: bool | None, after_s: float = 0.0) -> None:
        """A call ended. `failed` is None if it says nothing of the upstream: the caller left, the request was bad."""
        self.in_flight -= 1
        self._trying = False
        if failed is None:
            return
        if not failed:
            self._row, self._opened, self._until = 0, 0, 0.0
            return
        self._row += 1
        if self._row >= self._limit or self._until or after_s:
            pause = min(_LONGEST_S, self._pause_s * 2**self._opened) if self._row >= self._limit or self._until else 0.0
            self._opened += 1
            self._until = self._clock() + min(_LONGEST_S, max(pause, after_s))
