"""The newest answers in this process's memory."""

from __future__ import annotations

from collections import OrderedDict

MOST = 4096
MOST_BYTES = 16 << 20
_OVERHEAD = 300  # bytes an entry takes beside its content


class Memory:
    """Replies by key; those that were not asked for longest go first."""

    def __init__(self, most: int = MOST, most_bytes: int = MOST_BYTES) -> None:
        self._most, self._most_bytes = most, most_bytes
        self._kept: OrderedDict[str, tuple[int, bytes]] = OrderedDict()
        self.size = 0  # bytes

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: str, now_ms: int) -> bytes | None:
        found = self._kept.get(key)
        if found is None:
            return None
        if found[0] <= now_ms:
            self.drop(key)
            return None
        self._kept.move_to_end(key)
        return found[1]

    def put(self, key: str, expires_ms: int, reply: bytes) -> None:
        self.drop(key)
        self._kept[key] = (expires_ms, reply)
        self.size += len(reply) + _OVERHEAD
        while len(self._kept) > self._most or self.size > self._most_bytes:
            self.drop(next(iter(self._kept)))

    def drop(self, key: str) -> None:
        found = self._kept.pop(key, None)
        if found is not None:
            self.size -= len(found[1]) + _OVERHEAD

    def clear(self) -> None:
        self._kept.clear()
        self.size = 0
