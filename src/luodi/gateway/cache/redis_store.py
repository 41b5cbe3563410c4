"""Answers in Redis or Valkey, shared by several machines. Everything has a time to live.

luodi:{cache}:k:KEY        when it expires (13 digits) and the reply
luodi:{cache}:v:SCOPE:NAME stream of the questions of a scope, with their vectors by the embedder NAME
luodi:{cache}:i:…          sets that lead from a subject, a release or a call to its entries
luodi:{cache}:epoch        raised when entries are erased
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from luodi.gateway.cache.entry import Entry, News, Vector
from luodi.gateway.cache.link import Link
from luodi.store.database import now_ms

_AT = "luodi:{cache}:"
_VECTORS = 4096  # of a scope
_STAMP = 13

# The erased entries' keys, and their places in the streams, are looked up and removed in one go.
_ERASE = """
local done = 0
for _, index in ipairs(KEYS) do
  for _, member in ipairs(redis.call('SMEMBERS', index)) do
    local key, stream, id = string.match(member, '^(%S+) (%S*) (%S*)$')
    done = done + redis.call('DEL', key)
    if stream ~= '' then redis.call('XDEL', stream, id) end
  end
  redis.call('DEL', index)
end
redis.call('INCR', ARGV[1])
return done
"""


class RedisStore:
    """`wait_s` bounds every command; after five failures Redis is left alone for half a minute."""

    def __init__(self, url: str, *, wait_s: float = 0.05) -> None:
        self.link = Link(url, wait_s=wait_s)

    async def get(self, key: str) -> tuple[int, bytes] | None:
        data: bytes | None = await self.link.ask(lambda r: r.get(f"{_AT}k:{key}"))
        if data is None or len(data) <= _STAMP or not data[:_STAMP].isdigit():
            return None
        return int(data[:_STAMP]), data[_STAMP:]

    def put(self, entry: Entry) -> None:
        self.link.send(lambda r: _put(r, entry))

    async def delete(self, *, subject: str = "", release: str = "", record: str = "") -> int:
        indexes = [f"{_AT}i:{kind}:{v}" for kind, v in (("s", subject), ("r", release), ("c", record)) if v]
        done: int | None = await self.link.ask(lambda r: r.eval(_ERASE, len(indexes), *indexes, f"{_AT}epoch"))
        return -1 if done is None else int(done)

    async def filed(self, wanted: Sequence[tuple[str, str]]) -> set[str] | None:
        """Keys of the entries that are filed under ("s", subject), ("r", release) or ("c", call)."""

        async def work(redis: Any) -> set[str]:
            found: set[str] = set()
            for kind, value in wanted:
                members = await redis.smembers(f"{_AT}i:{kind}:{value}")
                found |= {m.decode().split(" ", 1)[0].removeprefix(f"{_AT}k:") for m in members}
            return found

        return await self.link.ask(work)

    async def everything(self) -> list[tuple[str, bytes]] | None:
        """Every key and its reply, as it is kept."""

        async def work(redis: Any) -> list[tuple[str, bytes]]:
            found = []
            async for name in redis.scan_iter(match=f"{_AT}k:*", count=500):
                data = await redis.get(name)
                if data is not None and len(data) > _STAMP:
                    found.append((name.decode().removeprefix(f"{_AT}k:"), data[_STAMP:]))
            return found

        return await self.link.ask(work)

    async def remove(self, keys: Collection[str]) -> int | None:
        """Erase entries, their questions in the streams, and what leads to them; how many there were."""

        async def work(redis: Any) -> int:
            wanted, done = set(keys), 0
            async for name in redis.scan_iter(match=f"{_AT}v:*", count=500):
                gone = [place for place, f in await redis.xrange(name) if f[b"key"].decode() in wanted]
                if gone:
                    await redis.xdel(name, *gone)
            async for name in redis.scan_iter(match=f"{_AT}i:*", count=500):  # their names say whose they were
                members = await redis.smembers(name)
                gone = [m for m in members if m.decode().split(" ", 1)[0].removeprefix(f"{_AT}k:") in wanted]
                if gone:
                    await redis.srem(name, *gone)
            for key in wanted:
                done += await redis.delete(f"{_AT}k:{key}")
            await redis.incr(f"{_AT}epoch")
            return done

        return await self.link.ask(work)

    async def news(self, scope: str = "", embedder: str = "", mark: str = "") -> News | None:
        async def work(redis: Any) -> News:
            if not scope:
                return News(int(await redis.get(f"{_AT}epoch") or 0), mark)
            name = f"{_AT}v:{scope}:{embedder}"
            # Of a stream never read before the newest are wanted, and they come in their order.
            if mark:
                rows = await redis.xrange(name, min=f"({mark}", count=_VECTORS)
            else:
                rows = (await redis.xrevrange(name, count=_VECTORS))[::-1]
            epoch = int(await redis.get(f"{_AT}epoch") or 0)
            last = rows[-1][0].decode() if rows else mark
            return News(epoch, last, tuple(_vector(fields) for _, fields in rows))

        return await self.link.ask(work)

    async def stop(self) -> None:
        await self.link.stop()

    def close(self) -> None:
        """Nothing is held outside a loop."""


def _vector(fields: dict[bytes, bytes]) -> Vector:
    return Vector(fields[b"key"].decode(), fields[b"question"].decode(), int(fields[b"expires"]), fields[b"vector"])


async def _put(redis: Any, entry: Entry) -> None:
    left = max(1, entry.expires_ms - now_ms())
    at, stream, place = f"{_AT}k:{entry.key}", "", ""
    if entry.scope and entry.vector:
        stream = f"{_AT}v:{entry.scope}:{entry.embedder}"
        fields = {
            "key": entry.key, "question": entry.question, "expires": entry.expires_ms, "vector": entry.vector,
        }  # fmt: skip
        place = (await redis.xadd(stream, fields, maxlen=_VECTORS, approximate=True)).decode()
    async with redis.pipeline(transaction=True) as line:
        line.set(at, b"%013d" % entry.expires_ms + entry.reply, px=left)
        if stream:
            line.pexpire(stream, left)
        for kind, value in (("s", entry.subject), ("r", entry.release), ("c", entry.record)):
            index = f"{_AT}i:{kind}:{value}"
            line.sadd(index, f"{at} {stream} {place}")
            line.pexpire(index, left)
        await line.execute()
