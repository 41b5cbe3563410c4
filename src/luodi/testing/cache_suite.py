"""What every place for kept answers must do. Subclass `CacheConformance` and say how to open one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from luodi.gateway.cache import CacheStore, Entry
from luodi.store.database import now_ms

Work = Callable[[CacheStore], Awaitable[None]]


def entry(key: str, reply: bytes = b'{"a":1}', *, scope: str = "", lives_ms: int = 60_000, **more: str) -> Entry:
    """An entry; with a scope it has a question and a vector."""
    about: dict[str, Any] = {"release": "r@1", "subject": "key:k", "record": f"rec_{key}"} | more
    vector = b"\0\0\x80?" * 2 if scope else b""
    return Entry(
        key=key.ljust(64, "0"), expires_ms=now_ms() + lives_ms, reply=reply, scope=scope,
        question=f"q {key}" if scope else "", embedder="e/1" if scope else "", vector=vector, **about,
    )  # fmt: skip


class CacheConformance:
    """Tests of a `CacheStore`. `run` opens two on the same place and hands them to the work, inside a loop."""

    def run(self, work: Callable[[CacheStore, CacheStore, Callable[[], Awaitable[None]]], Awaitable[None]]) -> None:
        """`work(mine, other, settle)`; `settle` waits until what was put can be found."""
        raise NotImplementedError

    def test_what_was_put_is_found_by_others(self) -> None:
        async def work(mine: CacheStore, other: CacheStore, settle: Callable[[], Awaitable[None]]) -> None:
            kept = entry("a", b"\x00\xff binary")
            assert await mine.get(kept.key) is None
            mine.put(kept)
            await settle()
            for store in (mine, other):
                assert await store.get(kept.key) == (kept.expires_ms, kept.reply)

        self.run(work)

    def test_the_newest_of_a_key_counts(self) -> None:
        async def work(mine: CacheStore, other: CacheStore, settle: Callable[[], Awaitable[None]]) -> None:
            for reply in (b"1", b"2"):
                mine.put(entry("a", reply))
                await settle()
            found = await other.get(entry("a").key)
            assert found is not None and found[1] == b"2"

        self.run(work)

    @pytest.mark.parametrize("by", ["subject", "release", "record"])
    def test_erased_by_subject_release_or_call(self, by: str) -> None:
        async def work(mine: CacheStore, other: CacheStore, settle: Callable[[], Awaitable[None]]) -> None:
            about: Any = {by: "gone"}
            gone = entry("a", scope="s", **about)
            stays = entry("b", scope="s")
            for each in (gone, stays):
                mine.put(each)
            await settle()
            before = await other.news()
            assert await other.delete(**about) == 1
            assert await mine.get(gone.key) is None and await mine.get(stays.key) is not None
            after = await mine.news("s", "e/1")
            assert before is not None and after is not None and after.epoch > before.epoch
            assert [v.key for v in after.vectors] == [stays.key]
            assert await mine.delete(**{by: "nobody"}) == 0

        self.run(work)

    def test_vectors_are_told_once_and_by_their_scope(self) -> None:
        async def work(mine: CacheStore, other: CacheStore, settle: Callable[[], Awaitable[None]]) -> None:
            for key, scope in (("a", "s"), ("b", "t"), ("c", "s")):
                mine.put(entry(key, scope=scope))
                await settle()
            first = await other.news("s", "e/1")
            assert first is not None and [v.question for v in first.vectors] == ["q a", "q c"]
            assert first.vectors[0].vector == entry("a", scope="s").vector
            again = await other.news("s", "e/1", first.mark)
            assert again is not None and again.vectors == () and again.mark == first.mark
            mine.put(entry("d", scope="s"))
            await settle()
            more = await other.news("s", "e/1", first.mark)
            assert more is not None and [v.question for v in more.vectors] == ["q d"]
            assert (await other.news("s", "other/1")).vectors == ()  # type: ignore[union-attr]

        self.run(work)

    def test_what_has_expired_is_not_news(self) -> None:
        async def work(mine: CacheStore, other: CacheStore, settle: Callable[[], Awaitable[None]]) -> None:
            mine.put(entry("a", scope="s", lives_ms=30))
            await settle()
            await asyncio.sleep(0.06)
            found = await other.get(entry("a").key)
            assert found is None or found[0] <= now_ms()

        self.run(work)
