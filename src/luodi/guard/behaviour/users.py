"""End users that a caller names: people who come back, or a new name for every call."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque

_LAST = 200  # calls of a key that are looked back on
_ENOUGH = 50
_NEW = 0.8  # share of names among the last calls from which on they are no people
_KEYS = 4096


class EndUsers:
    """Remembers whom the last calls of each key were for. Safe to share between threads."""

    def __init__(self) -> None:
        self._keys: OrderedDict[str, deque[int]] = OrderedDict()
        self._lock = threading.Lock()

    def strange(self, key: str, user: str) -> bool:
        """Take in a call; whether hardly a name of the key's last calls came twice, so that they hide one caller."""
        with self._lock:
            last = self._keys.get(key)
            if last is None:
                last = self._keys[key] = deque(maxlen=_LAST)
                if len(self._keys) > _KEYS:
                    self._keys.popitem(last=False)
            else:
                self._keys.move_to_end(key)
            last.append(hash(user))
            return len(last) >= _ENOUGH and len(set(last)) > _NEW * len(last)
