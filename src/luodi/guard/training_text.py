"""Does an answer repeat the training set word for word: an index of its 8-grams, and the longest run in an answer.

Every position of the training set is in the index, as a 64-bit hash; a run of n tokens is n - 7 hits one after another.
A hash that is hit by chance lengthens a run by one with a probability of about (size of the index) / 2^64.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from luodi.errors import SourceError
from luodi.guard.item import flatten

WIDTH = 8  # tokens: words, or single Chinese characters
LONGEST = 24  # tokens in a row from which an answer counts as repeating, unless the policy says otherwise
_FORMAT = 1
_TOKEN = re.compile(r"[^\W_\u4e00-\u9fff]+|[\u4e00-\u9fff]")
_LETTER = re.compile(r"[^\W_\u4e00-\u9fff]")
_FACTOR = 0x9E3779B97F4A7C15  # odd, so that no token is lost modulo 2^64
_POWERS = np.array([pow(_FACTOR, power, 2**64) for power in range(WIDTH)], dtype=np.uint64)
_WORD = 64  # characters of a token that are read


@lru_cache(maxsize=8_192)
def _number(token: str) -> int:
    return int.from_bytes(blake2b(token.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def _numbers(text: str) -> list[int]:
    return [_number(token[:_WORD]) for token in _TOKEN.findall(flatten(text).lower())]


def _hashes(numbers: Sequence[int]) -> NDArray[np.uint64]:
    """One hash for each run of WIDTH tokens."""
    count = len(numbers) - WIDTH + 1
    if count < 1:
        return np.empty(0, dtype=np.uint64)
    values = np.array(numbers, dtype=np.uint64)
    total = np.zeros(count, dtype=np.uint64)
    for place in range(WIDTH):
        total += values[place : place + count] * _POWERS[place]
    total ^= total >> np.uint64(31)
    total *= np.uint64(0xBF58476D1CE4E5B9)
    return total ^ (total >> np.uint64(29))


class TrainingText:
    """The index of one training set; read-only, safe between threads. Eight bytes a token, mapped from its file."""

    def __init__(self, hashes: NDArray[np.uint64], version: str) -> None:
        self._hashes = hashes
        self.version = version

    def __len__(self) -> int:
        return len(self._hashes)

    @staticmethod
    def build(texts: Iterable[str]) -> TrainingText:
        """Index texts; what they share is there once."""
        parts = [_hashes(_numbers(text)) for text in texts]
        hashes = np.unique(np.concatenate(parts)) if parts else np.empty(0, dtype=np.uint64)
        digest = blake2b(hashes.astype("<u8").tobytes(), digest_size=6).hexdigest()
        return TrainingText(hashes, f"{_FORMAT}:{digest}")

    def save(self, folder: Path) -> None:
        """Write `grams.npy` and `training-text.json` into `folder`, which is made."""
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / "grams.npy", self._hashes.astype("<u8"), allow_pickle=False)
        about = {"format": _FORMAT, "width": WIDTH, "grams": len(self), "version": self.version}
        (folder / "training-text.json").write_text(json.dumps(about, indent=1) + "\n", "utf-8")

    @staticmethod
    def load(folder: Path) -> TrainingText:
        """Read what `save` wrote. Raises: SourceError if it is missing, broken or of another format."""
        try:
            about = json.loads((folder / "training-text.json").read_text("utf-8"))
            hashes = np.load(folder / "grams.npy", mmap_mode="r", allow_pickle=False)
            if (about["format"], about["width"]) != (_FORMAT, WIDTH) or hashes.dtype != np.uint64:
                raise ValueError("another format")
            if hashes.shape != (about["grams"],):
                raise ValueError("it is cut off")
            return TrainingText(hashes, str(about["version"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SourceError(f"no index of training text in {str(folder)!r}: {error}", "build it again") from error

    def _hit(self, hashes: NDArray[np.uint64]) -> NDArray[np.bool_]:
        if not len(self._hashes):
            return np.zeros(len(hashes), dtype=bool)
        places = np.minimum(np.searchsorted(self._hashes, hashes), len(self._hashes) - 1)
        return np.asarray(self._hashes[places] == hashes)

    def longest(self, answer: str, allowed: Iterable[str] = ()) -> int:
        """Tokens in the longest run of `answer` that stands in the training set; see `watch`."""
        watch = self.watch(allowed)
        watch.feed(answer)
        return watch.finish()

    def watch(self, allowed: Iterable[str] = ()) -> TrainingWatch:
        """Follows a stream. What stands in `allowed`, such as passages that the model was shown, counts as quoted."""
        return TrainingWatch(self, allowed)


class TrainingWatch:
    """The longest run so far: the same number for every chunking, at the cost of the new text only."""

    def __init__(self, index: TrainingText, allowed: Iterable[str]) -> None:
        self._index = index
        shown = [_hashes(_numbers(text)) for text in allowed]
        self._allowed = np.unique(np.concatenate(shown)) if shown else np.empty(0, dtype=np.uint64)
        self._word = ""  # may go on in the next chunk
        self._numbers: list[int] = []  # of the last WIDTH - 1 tokens
        self._run = 0
        self.longest = 0

    def feed(self, piece: str) -> int:
        """Tokens in the longest run of all text so far."""
        text = self._word + piece
        cut = len(text)
        while cut and _LETTER.match(flatten(text[cut - 1])):
            cut -= 1
        # of a word without end only what is read of it is kept
        self._word = text[cut : cut + 2 * _WORD]
        self._take(text[:cut])
        return self.longest

    def finish(self) -> int:
        """The same of the whole text."""
        self._take(self._word)
        self._word = ""
        return self.longest

    def _take(self, text: str) -> None:
        fresh = _numbers(text)
        if not fresh:
            return
        numbers = self._numbers + fresh
        hashes = _hashes(numbers)
        self._numbers = numbers[-(WIDTH - 1) :]
        if not len(hashes):
            return
        hits = self._index._hit(hashes)
        if len(self._allowed):
            places = np.minimum(np.searchsorted(self._allowed, hashes), len(self._allowed) - 1)
            hits &= self._allowed[places] != hashes
        if not hits.any():
            self._run = 0
            return
        for hit in hits.tolist():
            self._run = self._run + 1 if hit else 0
            if self._run and self._run + WIDTH - 1 > self.longest:
                self.longest = self._run + WIDTH - 1
