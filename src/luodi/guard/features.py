"""Hashed n-grams of a text, by numpy: characters 3 to 5 (2 for Chinese), words 1 and 2.

Stable over processes, machines and versions: polynomial hashes of code points in unsigned 64-bit arithmetic.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

BITS = 18
BUCKETS = 1 << BITS
WINDOW = 300  # characters judged at once
STRIDE = 150
MOST_WINDOWS = 64  # of one text; more are spread evenly

_BASE = np.uint64(0x100000001B3)
_MIX = np.uint64(0x9E3779B97F4A7C15)
_HALF, _DOWN = np.uint64(32), np.uint64(64 - BITS)
_SEEDS = {seed: np.uint64(seed) for seed in (2, 11, 12)}
_P = [pow(0x100000001B3, power, 1 << 64) for power in range(5)]
_POWERS = np.array([[_P[2], _P[1], 1, 0, 0], [_P[3], _P[2], _P[1], 1, 0], _P[::-1]], dtype=np.uint64)
_CHARACTER_SEEDS = np.array([[3], [4], [5]], dtype=np.uint64)
_NOWHERE = np.zeros(0, dtype=np.int64)
_WORD = re.compile(r"\w+")
_ONE = np.zeros(1, dtype=np.int64)
_TF = (1.0 + np.log(np.maximum(1, np.arange(4096)))).astype(np.float32)  # weight of an n-gram by how often it comes


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """Buckets and weights of all windows of a text, one after the other.

    Attributes:
        ends: where each window begins in the two arrays.
        count: of windows.
    """

    buckets: NDArray[np.integer[Any]]
    values: NDArray[np.float32]
    ends: NDArray[np.int64]
    count: int

    def margins(self, weights: NDArray[np.float32]) -> NDArray[np.float32]:
        """Weighted sums of each window: (count,), or (count, columns) of weights with columns."""
        if not len(self.buckets):
            return np.zeros((self.count, *weights.shape[1:]), dtype=np.float32)
        chosen = np.take(weights, self.buckets, axis=0)
        if self.count == 1:
            return np.asarray((self.values @ chosen)[None])
        if weights.ndim == 1:
            return np.asarray(np.add.reduceat(chosen * self.values, self.ends))
        ends = [*self.ends.tolist(), len(self.values)]
        return np.stack([self.values[at:to] @ chosen[at:to] for at, to in pairwise(ends)])


@dataclass(frozen=True, slots=True)
class Grams:
    """Buckets of all n-grams of a text.

    Attributes:
        places: the character at which each begins; empty for a text of one window, which needs none.
        length: of the text with a space at either end.
    """

    buckets: NDArray[np.int64]
    places: NDArray[np.int64]
    length: int
    _all: Windows | None = field(default=None, compare=False, repr=False)

    def window(self, start: int, stop: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Buckets of the n-grams that begin in [start, stop), and their weights: 1 + log tf, L2 norm 1."""
        inside = self.buckets
        if start > 0 or stop < self.length:
            inside = inside[(self.places >= start) & (self.places < stop)]
        distinct, counts = _counted(inside)
        weights = _TF[np.minimum(counts, len(_TF) - 1)]
        weights /= np.float32(sqrt(weights @ weights) or 1.0)
        return distinct, weights

    def each_window(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """`window` of each of `windows`; at least one."""
        return (self.window(start, stop) for start, stop in self.windows())

    def all_windows(self) -> Windows:
        """All of them at once, for a text of many windows at a quarter of the cost; made once."""
        if self._all is None:
            object.__setattr__(self, "_all", self._made())
        assert self._all is not None
        return self._all

    def _made(self) -> Windows:
        if self.length <= WINDOW + STRIDE:
            return Windows(*self.window(0, self.length), _ONE, 1)
        spans = list(self.windows())
        if len(spans) == 1 or spans[1][0] != STRIDE or spans[0][1] != WINDOW:
            found = [self.window(start, stop) for start, stop in spans]
            ends = np.cumsum([0, *(len(buckets) for buckets, _ in found[:-1])])
            buckets, values = (np.concatenate([each[part] for each in found]) for part in (0, 1))
            return Windows(buckets, values.astype(np.float32, copy=False), ends, len(spans))
        # every n-gram begins in two windows, but at the ends of the text
        late = (self.places // STRIDE).astype(np.int32)
        small = self.buckets.astype(np.int32)
        keys = np.concatenate([(late << BITS) | small, ((late - 1) << BITS) | small])
        keys = keys[(keys >= 0) & (keys < len(spans) << BITS)]
        keys.sort()
        first = np.empty(len(keys) + 1, dtype=bool)
        first[0] = first[-1] = True
        np.not_equal(keys[1:], keys[:-1], out=first[1:-1])
        starts = first.nonzero()[0]
        keys, counts = keys[starts[:-1]], starts[1:] - starts[:-1]
        values = _TF[np.minimum(counts, len(_TF) - 1)]
        ends = np.searchsorted(keys, np.arange(len(spans), dtype=np.int32) << BITS)
        norms = np.sqrt(np.add.reduceat(values * values, ends))
        values /= np.repeat(norms, np.diff(np.append(ends, len(values))))
        return Windows(keys & (BUCKETS - 1), values, ends, len(spans))

    def windows(self) -> Iterator[tuple[int, int]]:
        """Overlapping spans that cover the text; one for a text of up to WINDOW + STRIDE characters."""
        if self.length <= WINDOW + STRIDE:
            yield 0, self.length
            return
        starts = range(0, self.length - STRIDE, STRIDE)
        if len(starts) > MOST_WINDOWS:
            # wider strides would leave gaps, so the spans grow instead
            size = -(-self.length // MOST_WINDOWS)
            yield from ((place * size, min(self.length, (place + 1) * size + STRIDE)) for place in range(MOST_WINDOWS))
            return
        yield from ((start, min(self.length, start + WINDOW)) for start in starts)


def _counted(values: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """`np.unique` with counts, at half its cost for some hundred values."""
    if not len(values):
        return values, values
    ordered = np.sort(values)
    first = np.empty(len(ordered) + 1, dtype=bool)
    first[0] = first[-1] = True
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:-1])
    starts = first.nonzero()[0]
    return ordered[starts[:-1]], starts[1:] - starts[:-1]


def _spread(hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Seeded hashes as buckets. Works in place."""
    hashes *= _MIX
    hashes ^= hashes >> _HALF
    hashes *= _MIX
    hashes >>= _DOWN
    return hashes.view(np.int64)


@lru_cache(maxsize=8_192)
def _code(word: str) -> int:
    return zlib.crc32(word.encode("utf-8", "surrogatepass"))


def grams(normal: str) -> Grams:
    """The n-grams of a text in normal form. Linear in its length: about 0.1 microseconds a character."""
    size = len(normal) + 2
    padded = np.zeros(size + 4, dtype=np.uint64)
    padded[:size] = np.frombuffer(f" {normal} ".encode("utf-32-le", "surrogatepass"), dtype="<u4")
    # row i of the view is characters i to i + 4; the matrix gives their hashes of 3, 4 and 5 at once
    five = np.ndarray((size, 5), dtype=np.uint64, buffer=padded, strides=(8, 8))
    rolled = _POWERS @ five.T
    rolled += _CHARACTER_SEEDS
    whole = [max(0, size - n + 1) for n in (3, 4, 5)]
    hashes = [rolled[row, :count] for row, count in enumerate(whole)]
    pairs = None
    if not normal.isascii():
        codes = padded[:size]
        pairs = (codes[:-1] >= 0x3400) & (codes[1:] >= 0x3400)
        hashes.append((codes[:-1] * _BASE + codes[1:])[pairs] + _SEEDS[2])
    words = _WORD.findall(normal)
    single = np.fromiter(map(_code, words), np.uint64, len(words))
    hashes.append(single + _SEEDS[11])
    if len(words) > 1:
        hashes.append(single[:-1] * _BASE + single[1:] + _SEEDS[12])
    buckets = _spread(np.concatenate(hashes))
    if size <= WINDOW + STRIDE:
        return Grams(buckets, _NOWHERE, size)
    everywhere = np.arange(size, dtype=np.int64)
    starts = np.fromiter((found.start() for found in _WORD.finditer(normal)), np.int64, len(words))
    places = [*(everywhere[:count] for count in whole), starts, starts[:-1]]
    if pairs is not None:
        places.insert(3, everywhere[:-1][pairs])
    return Grams(buckets, np.concatenate(places), size)
