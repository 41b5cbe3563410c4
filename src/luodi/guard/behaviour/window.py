"""Counts over a sliding time, in constant memory."""

from __future__ import annotations

import math


class Count:
    """How much happened in the last `span_s` seconds: this window, and what of the last one still reaches into it."""

    __slots__ = ("_before", "_now", "_start", "span_s")

    def __init__(self, span_s: float) -> None:
        self.span_s = span_s
        self._start = self._now = self._before = 0.0

    def add(self, now_s: float, amount: float = 1.0) -> None:
        self._turn(now_s)
        self._now += amount

    def value(self, now_s: float) -> float:
        self._turn(now_s)
        left = 1.0 - (now_s - self._start) / self.span_s
        return self._now + self._before * min(1.0, max(0.0, left))

    def _turn(self, now_s: float) -> None:
        passed = now_s - self._start
        if passed >= self.span_s:
            self._before = self._now if passed < 2 * self.span_s else 0.0
            self._now = 0.0
            self._start += self.span_s * (passed // self.span_s)


class Distinct:
    """How many different things came in the last `span_s` seconds, by linear counting (Whang et al. 1990).

    What came in both halves of the time is not counted twice: the larger half counts.
    """

    __slots__ = ("_before", "_bits", "_set", "_size", "_start", "span_s")

    def __init__(self, span_s: float, bits: int) -> None:
        self.span_s = span_s
        self._size = bits
        self._bits = bytearray(bits // 8)
        self._set = 0
        self._before = 0.0
        self._start = 0.0

    def add(self, now_s: float, hashed: int) -> None:
        self._turn(now_s)
        place, bit = (hashed % self._size) >> 3, 1 << (hashed & 7)
        if not self._bits[place] & bit:
            self._bits[place] |= bit
            self._set += 1

    def value(self, now_s: float) -> float:
        self._turn(now_s)
        left = min(1.0, max(0.0, 1.0 - (now_s - self._start) / self.span_s))
        return max(self._estimate(), self._before * left)

    def _estimate(self) -> float:
        free = max(1, self._size - self._set)
        return self._size * math.log(self._size / free)

    def _turn(self, now_s: float) -> None:
        passed = now_s - self._start
        if passed >= self.span_s:
            self._before = self._estimate() if passed < 2 * self.span_s else 0.0
            self._bits = bytearray(self._size // 8)
            self._set = 0
            self._start += self.span_s * (passed // self.span_s)


class Spread:
    """How far and how evenly draws spread over passages in the last `span_s` seconds; counts by hash, up to 255."""

    __slots__ = ("_before", "_hits", "_repeats", "_seen", "_set", "_size", "_start", "span_s")

    def __init__(self, span_s: float, slots: int) -> None:
        self.span_s = span_s
        self._size = slots
        self._seen = bytearray(slots)
        self._set = self._hits = self._repeats = 0
        self._before = (0, 0, 0)
        self._start = 0.0

    def add(self, now_s: float, hashed: int) -> None:
        self._turn(now_s)
        place = hashed % self._size
        times = self._seen[place]
        self._hits += 1
        self._repeats += times
        if times == 0:
            self._set += 1
        if times < 255:
            self._seen[place] = times + 1

    def value(self, now_s: float, passages: int) -> tuple[float, float]:
        """(share of the passages that was drawn, pairs of the same passage against those of an even draw: about 1 if
        all are drawn alike, more the more some are favoured; Simpson 1949). Of this window or, until it has faded, of
        the last one: whichever reached further.
        """
        self._turn(now_s)
        left = min(1.0, max(0.0, 1.0 - (now_s - self._start) / self.span_s))
        share, uneven = self._of((self._set, self._hits, self._repeats), passages)
        past, past_uneven = self._of(self._before, passages)
        return (past * left, past_uneven) if past * left > share else (share, uneven)

    def _of(self, counts: tuple[int, int, int], passages: int) -> tuple[float, float]:
        filled, hits, repeats = counts
        distinct = self._size * math.log(self._size / max(1, self._size - filled))
        even = hits * (hits - 1) / 2 * (1 / passages + 1 / self._size)
        return min(1.0, distinct / passages), repeats / even if even else 1.0

    def _turn(self, now_s: float) -> None:
        passed = now_s - self._start
        if passed >= self.span_s:
            kept = passed < 2 * self.span_s
            self._before = (self._set, self._hits, self._repeats) if kept else (0, 0, 0)
            self._seen = bytearray(self._size)
            self._set = self._hits = self._repeats = 0
            self._start += self.span_s * (passed // self.span_s)
