"""Asking something that may be slow or gone, without waiting for it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

_log = logging.getLogger("luodi.gateway")
T = TypeVar("T")


class Patience:
    """Waits `wait_s` at most; after `failures` in a row nothing is asked for `off_s`, then one try decides.

    Args:
        what: for the log.
    """

    def __init__(
        self, what: str, *, wait_s: float = 0.05, failures: int = 5, off_s: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._what, self._wait_s, self._limit, self._off_s, self._clock = what, wait_s, failures, off_s, clock
        self._row = 0
        self._until = 0.0
        self._trying = False

    @property
    def off(self) -> bool:
        """Whether nothing is asked just now."""
        return self._row >= self._limit and (self._trying or self._clock() < self._until)

    async def ask(self, work: Callable[[], Awaitable[T]]) -> T | None:
        """What `work` says; None if it fails, is too slow, or is not asked."""
        if self.off:
            return None
        trying = self._row >= self._limit
        self._trying = trying
        try:
            async with asyncio.timeout(self._wait_s):
                found = await work()
        except Exception as error:  # whatever a driver raises, it means the same
            self._failed(error)
            return None
        finally:
            if trying:
                self._trying = False
        self._row = 0
        return found

    def _failed(self, error: Exception) -> None:
        self._row += 1
        if self._row >= self._limit:
            if self._clock() >= self._until:
                told = str(error) or type(error).__name__
                _log.warning("%s is left alone for %g s: %s", self._what, self._off_s, told)
            self._until = self._clock() + self._off_s
