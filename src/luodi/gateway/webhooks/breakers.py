"""Upstreams that are left alone because they fail, as a worker sees them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol


class Healthy(Protocol):
    """A pool of upstreams."""

    name: str

    def health(self) -> list[dict[str, Any]]: ...


class Breakers:
    """Remembers which breakers were open. One that only tries again is still the same failure."""

    def __init__(self) -> None:
        self._failing: set[tuple[str, str]] = set()

    def opened(self, pools: Iterable[Healthy]) -> list[dict[str, str]]:
        """Those that have opened since the last look: upstream, and the model that the upstream is asked for."""
        failing: set[tuple[str, str]] = set()
        new: list[dict[str, str]] = []
        for pool in pools:
            for health in pool.health():
                where = pool.name, str(health["upstream"])
                if health["state"] == "closed":
                    continue
                if where not in failing | self._failing:
                    new.append({"pool": pool.name, "upstream": where[1], "model": str(health["model"])})
                failing.add(where)
        self._failing = failing
        return new
