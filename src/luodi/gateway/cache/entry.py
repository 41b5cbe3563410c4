"""What is kept, and the protocol of where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Entry:
    """An answer to be given again.

    Attributes:
        key, scope: see `Identity`; without a scope no other question is given it.
        subject: whose call it answered, as in the log's payloads: "user:NAME" or "key:ID".
        record: id of that call.
        vector: of the question, float32, L2-normalised; empty if there is none.
        reply: the answer as JSON.
    """

    key: str
    release: str
    subject: str
    record: str
    expires_ms: int
    reply: bytes
    scope: str = ""
    question: str = ""
    embedder: str = ""
    vector: bytes = b""

    @property
    def size(self) -> int:
        return len(self.reply) + len(self.vector) + len(self.question) + 200


@dataclass(frozen=True, slots=True)
class Vector:
    """A question of a scope, by its vector."""

    key: str
    question: str
    expires_ms: int
    vector: bytes


@dataclass(frozen=True, slots=True)
class News:
    """What others did. `mark` is where to go on reading; `epoch` changes when entries are erased."""

    epoch: int
    mark: str = ""
    vectors: tuple[Vector, ...] = ()


class CacheStore(Protocol):
    """Where answers are kept for other workers and the next start. Nothing here raises: what fails is not there."""

    async def get(self, key: str) -> tuple[int, bytes] | None:
        """(when it expires, the reply)."""
        ...

    def put(self, entry: Entry) -> None:
        """Keep it soon; nobody waits. The oldest go when there are too many."""
        ...

    async def delete(self, *, subject: str = "", release: str = "", record: str = "") -> int:
        """How many entries of a subject, a release or a call were erased, everywhere; -1 if it could not be done."""
        ...

    async def news(self, scope: str = "", embedder: str = "", mark: str = "") -> News | None:
        """The epoch, and the vectors of a scope behind `mark`, at most some thousands; None if it can't be told."""
        ...

    async def stop(self) -> None:
        """Finish what is being written, inside the loop that served."""
        ...

    def close(self) -> None:
        """Let go of connections that need no loop."""
        ...
