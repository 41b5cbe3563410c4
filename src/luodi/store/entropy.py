"""Random bytes of the system's generator, fetched by the page: a call that takes a few does not enter the kernel."""

from __future__ import annotations

import os
import time

_PAGE = 4096
_pool = b""
_at = 0


def _forget() -> None:
    global _pool
    _pool = b""


os.register_at_fork(after_in_child=_forget)  # a child must not give out what its parent gives out


def take(size: int) -> bytes:
    """`size` random bytes (up to a page), each given out once."""
    global _pool, _at
    if _at + size > len(_pool):
        _pool, _at = os.urandom(_PAGE), 0
    _at += size
    return _pool[_at - size : _at]


def timed_id(prefix: str) -> str:
    """An id that sorts by time: 48 bits of milliseconds, 48 random ones. Neighbours in time are so on disk, too."""
    return f"{prefix}_{(time.time_ns() // 1_000_000).to_bytes(6, 'big').hex()}{take(6).hex()}"
