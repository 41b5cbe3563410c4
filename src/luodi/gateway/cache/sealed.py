"""Kept answers are content: they lie in a database or in Redis sealed, under the keys that seal the log's content.

Machines that share a cache share those keys, as they do to open each other's records; what can't be opened is not
there.
"""

from __future__ import annotations

from dataclasses import replace

from luodi.errors import LuodiError
from luodi.gateway.cache.entry import CacheStore, Entry, News, Vector
from luodi.store import Store
from luodi.store.sealing import Sealing


class Sealed:
    """A store behind a seal: replies, questions and vectors; what they are filed under stays readable."""

    def __init__(self, behind: CacheStore, store: Store) -> None:
        self.behind = behind
        self._sealing = Sealing(store)

    async def get(self, key: str) -> tuple[int, bytes] | None:
        found = await self.behind.get(key)
        if found is None:
            return None
        plain = self._open(found[1], key)
        return None if plain is None else (found[0], plain)

    def put(self, entry: Entry) -> None:
        question = self._seal(entry.question.encode(), entry.key).hex() if entry.question else ""
        vector = self._seal(entry.vector, entry.key) if entry.vector else b""
        self.behind.put(replace(entry, reply=self._seal(entry.reply, entry.key), question=question, vector=vector))

    async def delete(self, *, subject: str = "", release: str = "", record: str = "") -> int:
        return await self.behind.delete(subject=subject, release=release, record=record)

    async def news(self, scope: str = "", embedder: str = "", mark: str = "") -> News | None:
        news = await self.behind.news(scope, embedder, mark)
        if news is None or not news.vectors:
            return news
        return replace(news, vectors=tuple(v for sealed in news.vectors if (v := self._vector(sealed)) is not None))

    def _vector(self, sealed: Vector) -> Vector | None:
        vector = self._open(sealed.vector, sealed.key)
        question = self._open(bytes.fromhex(sealed.question), sealed.key)
        if vector is None or question is None:
            return None
        return replace(sealed, vector=vector, question=question.decode())

    def _seal(self, data: bytes, about: str) -> bytes:
        return self._sealing.seal(data, b"cache" + about.encode())

    def _open(self, sealed: bytes, about: str) -> bytes | None:
        try:
            return self._sealing.open(sealed, b"cache" + about.encode())
        except LuodiError:
            return None

    async def stop(self) -> None:
        await self.behind.stop()

    def close(self) -> None:
        self.behind.close()
