"""Questions that mean the same: near by their vectors, and told apart by nothing that is written in them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from luodi.gateway.cache.entry import CacheStore, Entry, Vector
from luodi.gateway.cache.same import Facts, differs, facts
from luodi.store.database import now_ms

if TYPE_CHECKING:
    from luodi.engine.embed import Embedder

LONGEST = 2000  # characters of a question that is compared
_MOST = 20_000  # vectors in memory
_SCOPE_MOST = 4096  # of one scope
_FRESH_S = 1.0
_WAITING = 16  # questions that wait to be embedded; more are not compared
_CANDIDATES = 16
_log = logging.getLogger("luodi.gateway")


@dataclass(frozen=True, slots=True)
class Asked:
    """A question on its way, with its vector."""

    scope: str
    question: str
    vector: Any  # float32 (dim,)


@dataclass(slots=True)
class _Shelf:
    """The questions of one scope, oldest first; row i of `matrix` is the vector of `keys[i]`."""

    matrix: Any
    keys: list[str] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)
    expires: list[int] = field(default_factory=list)
    facts: dict[str, Facts] = field(default_factory=dict)
    mark: str = ""
    fresh_until: float = 0.0


class Semantic:
    """Vectors in memory, one matrix for each scope; loaded when a scope is first asked, then followed.

    Args:
        opener: makes the embedder, in a thread, when the first question comes.
        similarity: cosine from which two questions may mean the same.
    """

    def __init__(self, opener: Callable[[], Embedder], similarity: float, store: CacheStore) -> None:
        self._opener, self._similarity, self._store = opener, similarity, store
        self._embedder: Embedder | None = None
        self._broken = False
        self._shelves: OrderedDict[str, _Shelf] = OrderedDict()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="embed")
        self._waiting = 0

    async def ask(self, scope: str, question: str) -> Asked | None:
        """The question with its vector; None if it can't be compared."""
        if self._broken or not question.strip() or len(question) > LONGEST or self._waiting >= _WAITING:
            return None
        self._waiting += 1
        try:
            vector = await asyncio.get_running_loop().run_in_executor(self._pool, self._encode, question)
        except Exception as error:  # a model that is not there or fails: nothing is near anything
            self._broken = self._embedder is None
            _log.warning("%s: %s", "the semantic cache is off" if self._broken else "not embedded", error)
            return None
        finally:
            self._waiting -= 1
        return Asked(scope, question, vector)

    def _encode(self, question: str) -> Any:
        if self._embedder is None:
            self._embedder = self._opener()
        return self._embedder.encode([question])[0]

    async def near(self, asked: Asked) -> list[tuple[str, float]]:
        """(key, cosine) of questions that mean the same, the nearest first."""
        shelf = await self._shelf(asked)
        count = len(shelf.keys)
        if not count:
            return []
        import numpy as np

        cosines = shelf.matrix[:count] @ asked.vector
        places = np.flatnonzero(cosines >= self._similarity)
        if not len(places):
            return []
        places = places[np.argsort(-cosines[places], kind="stable")][:_CANDIDATES]
        now, mine = now_ms(), facts(asked.question)
        found = []
        for place in places.tolist():
            key, question = shelf.keys[place], shelf.questions[place]
            if shelf.expires[place] > now and not differs(mine, self._facts(shelf, question)):
                found.append((key, round(float(cosines[place]), 4)))
        return found

    @staticmethod
    def _facts(shelf: _Shelf, question: str) -> Facts:
        found = shelf.facts.get(question)
        if found is None:
            found = shelf.facts[question] = facts(question)
        return found

    async def _shelf(self, asked: Asked) -> _Shelf:
        shelf = self._shelves.get(asked.scope)
        if shelf is None:
            import numpy as np

            shelf = self._shelves[asked.scope] = _Shelf(np.empty((64, len(asked.vector)), np.float32))
            self._trim()
        self._shelves.move_to_end(asked.scope)
        if time.monotonic() >= shelf.fresh_until:
            shelf.fresh_until = time.monotonic() + _FRESH_S
            name = self._embedder.name if self._embedder is not None else ""
            news = await self._store.news(asked.scope, name, shelf.mark)
            if news is not None:
                shelf.mark = news.mark
                for vector in news.vectors:
                    self._add(shelf, vector)
        return shelf

    def _add(self, shelf: _Shelf, vector: Vector) -> None:
        import numpy as np

        row = np.frombuffer(vector.vector, np.float32)
        if len(row) != shelf.matrix.shape[1]:
            return
        if vector.key in shelf.keys[-512:]:  # our own, which the store tells us again
            return
        count = len(shelf.keys)
        if count >= _SCOPE_MOST:  # the older half goes
            half = count // 2
            shelf.matrix[: count - half] = shelf.matrix[half:count].copy()
            del shelf.keys[:half], shelf.questions[:half], shelf.expires[:half]
            shelf.facts.clear()
            count -= half
        elif count == len(shelf.matrix):
            shelf.matrix = np.concatenate([shelf.matrix, np.empty_like(shelf.matrix)])
        shelf.matrix[count] = row
        shelf.keys.append(vector.key)
        shelf.questions.append(vector.question)
        shelf.expires.append(vector.expires_ms)

    def _trim(self) -> None:
        """Scopes that were not asked for longest go when there are too many vectors or scopes."""
        while len(self._shelves) > 1 and (
            len(self._shelves) > 256 or sum(len(s.matrix) for s in self._shelves.values()) > _MOST
        ):
            self._shelves.popitem(last=False)

    def keep(self, entry: Entry, asked: Asked) -> Entry:
        """The entry with its question and vector; near questions find it from now on."""
        assert self._embedder is not None
        data = asked.vector.tobytes()
        shelf = self._shelves.get(asked.scope)
        if shelf is not None:
            self._add(shelf, Vector(entry.key, asked.question, entry.expires_ms, data))
        return replace(entry, scope=asked.scope, question=asked.question, embedder=self._embedder.name, vector=data)

    def clear(self) -> None:
        self._shelves.clear()

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
