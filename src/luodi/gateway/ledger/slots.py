"""Calls in flight, in a memory-mapped file: what they have delivered survives `kill -9` without a write to disk.

A slot is written before the budget is held and before each piece is handed to the caller's connection, so what is
charged after a kill is what was delivered, or more by the one piece that was on its way.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from luodi.errors import StoreError
from luodi.store.atomic import disk_errors

SIZE = 512
_MAGIC = b"luodi-slots-1\n"
_FIXED = struct.Struct("<BxxxxxxxqqqqqqqqB40s64s100s120s64s40s")
_PROGRESS = struct.Struct("<qqq")
_PROGRESS_AT = 8 + 8  # behind state and started_ms
_FREE, HELD, SENT = 0, 1, 2
"""HELD: nothing was sent to a model yet. SENT: it was, and its tokens count."""


@dataclass(frozen=True, slots=True)
class InFlight:
    """A call as its slot tells of it. Prices: pico-dollars a token, and nano-dollars a second of the machine."""

    state: int
    started_ms: int
    last_ms: int
    prompt_tokens: int
    completion_tokens: int
    in_pico: int
    out_pico: int
    second_nano: int
    held_nano_usd: int
    limited: bool
    id: str
    key_id: str
    team: str
    release: str
    digest: str
    surface: str

    @property
    def nano_usd(self) -> int:
        """What the call has cost so far."""
        if self.state == HELD:
            return 0
        tokens = (self.prompt_tokens * self.in_pico + self.completion_tokens * self.out_pico + 500) // 1000
        return tokens + self.second_nano * max(0, self.last_ms - self.started_ms) // 1000


class Slots:
    """The slots of one worker.

    Raises:
        StoreError: the file can't be made.
    """

    def __init__(self, path: Path, count: int = 8192) -> None:
        self.path = path
        with disk_errors(f"{path} could not be made"):
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                os.truncate(descriptor, SIZE * (count + 1))
                self._map = mmap.mmap(descriptor, SIZE * (count + 1))
            finally:
                os.close(descriptor)
        self._map[: len(_MAGIC)] = _MAGIC
        self._free = list(range(count, 0, -1))

    @property
    def in_use(self) -> int:
        return len(self._map) // SIZE - 1 - len(self._free)

    def take(self, call: InFlight) -> int:
        """A slot for a call. Raises: StoreError if none is free."""
        if not self._free:
            raise StoreError("too many calls are in flight", "try again in a moment")
        at = self._free.pop() * SIZE
        c = call
        _FIXED.pack_into(
            self._map, at, 0, c.started_ms, c.last_ms, c.prompt_tokens, c.completion_tokens, c.in_pico, c.out_pico,
            c.second_nano, c.held_nano_usd, c.limited, _cut(c.id, 40), _cut(c.key_id, 64), _cut(c.team, 100),
            _cut(c.release, 120), _cut(c.digest, 64), _cut(c.surface, 40),
        )  # fmt: skip
        self._map[at] = c.state  # last: until then the slot is free
        return at

    def sent(self, slot: int, in_pico: int, out_pico: int, second_nano: int) -> None:
        """The call goes to a model now, at these prices."""
        struct.pack_into("<qqq", self._map, slot + _PROGRESS_AT + 24, in_pico, out_pico, second_nano)
        self._map[slot] = SENT

    def progress(self, slot: int, now_ms: int, prompt_tokens: int, completion_tokens: int) -> None:
        _PROGRESS.pack_into(self._map, slot + _PROGRESS_AT, now_ms, prompt_tokens, completion_tokens)

    def release(self, slot: int) -> None:
        self._map[slot] = _FREE
        self._free.append(slot // SIZE)

    def close(self) -> None:
        """Remove the file. Only once every call is settled."""
        self._map.close()
        with contextlib.suppress(OSError):
            self.path.unlink()


def read_slots(path: Path) -> Iterator[InFlight]:
    """The calls that were in flight when the file's worker ended."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return
    if not data.startswith(_MAGIC):
        if data.strip(b"\0"):
            raise StoreError(f"{path} is not a file of calls in flight", "move it away; its calls are not settled")
        return  # the machine lost power before the disk had any of it
    for at in range(SIZE, len(data) - SIZE + 1, SIZE):
        if data[at] in (HELD, SENT):
            state, *numbers, limited, call_id, key_id, team, release, digest, surface = _FIXED.unpack_from(data, at)
            texts = (
                b.rstrip(b"\0").decode("utf-8", "ignore") for b in (call_id, key_id, team, release, digest, surface)
            )
            yield InFlight(state, *numbers, bool(limited), *texts)  # type: ignore[call-arg]


def _cut(text: str, size: int) -> bytes:
    return text.encode("utf-8")[:size]
