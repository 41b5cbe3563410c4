"""Kept answers are content: they lie in a database or in Redis sealed, under the keys that seal the log's content.

Machines that share a cache share those keys, as they do to open each other's records; what can't be opened is not
there.
"""

from __future__ import annotations

import time
from dataclasses import replace

from cryptography.exceptions import InvalidTag

from luodi.errors import LuodiError
from luodi.gateway.cache.entry import CacheStore, Entry, News, Vector
from luodi.store import Store
from luodi.store.audit.payload import PayloadKey, PayloadKeys
from luodi.store.entropy import take

_HEAD, _NONCE = 5, 12
_FRESH_S = 0.5


class Sealed:
    """A store behind a seal: replies, questions and vectors; what they are filed under stays readable."""

    def __init__(self, behind: CacheStore, store: Store) -> None:
        self.behind = behind
        self._keys = PayloadKeys(store.keys.root)
        self._key: PayloadKey | None = None
        self._looked = 0.0

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
        now = time.monotonic()
        if self._key is None or now - self._looked > _FRESH_S:
            self._key, self._looked = self._keys.current(), now
        nonce = take(_NONCE)
        return self._key.head + nonce + self._key.cipher.encrypt(nonce, data, b"cache" + about.encode())

    def _open(self, sealed: bytes, about: str) -> bytes | None:
        head, nonce = sealed[:_HEAD], sealed[_HEAD : _HEAD + _NONCE]
        try:
            key = self._keys.get(int.from_bytes(head[1:], "big"))
            return key.cipher.decrypt(nonce, sealed[_HEAD + _NONCE :], b"cache" + about.encode())
        except (InvalidTag, LuodiError, ValueError):
            return None

    async def stop(self) -> None:
        await self.behind.stop()

    def close(self) -> None:
        self.behind.close()
