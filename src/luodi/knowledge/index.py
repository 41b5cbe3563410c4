"""The index: one SQLite file with the chunks and an FTS5 table over their segmented words (BM25)."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from luodi.errors import IntegrityError
from luodi.knowledge.chunks import Chunk
from luodi.knowledge.words import content_words, segment, stem, words

INDEX = "index.sqlite"
_TITLE_WEIGHT = 2.0


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that was found; a higher score is a better match."""

    chunk: Chunk
    score: float


def build(path: Path, chunks: Iterable[Chunk]) -> int:
    """Write an index of `chunks` to `path`; returns how many."""
    path.unlink(missing_ok=True)
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode=OFF")
        connection.execute("BEGIN")
        connection.execute(
            "CREATE TABLE chunk (id INTEGER PRIMARY KEY, row_id TEXT, source TEXT, rank INTEGER, path TEXT, title TEXT,"
            " text TEXT, start INTEGER, end INTEGER, line INTEGER)"
        )
        connection.execute(
            "CREATE VIRTUAL TABLE words USING fts5(title, body, content='', tokenize='porter unicode61')"
        )
        count = 0
        for count, c in enumerate(chunks, 1):
            values = (count, c.row_id, c.source, c.rank, c.path, c.title, c.text, c.start, c.end, c.line)
            connection.execute("INSERT INTO chunk VALUES (?,?,?,?,?,?,?,?,?,?)", values)
            connection.execute(
                "INSERT INTO words(rowid, title, body) VALUES (?,?,?)", (count, segment(c.title), segment(c.text))
            )
        connection.execute("INSERT INTO words(words) VALUES ('optimize')")
        connection.execute("COMMIT")
        connection.execute("VACUUM")
    finally:
        connection.close()
    return count


class Index:
    """Searches an index file. Safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise IntegrityError(f"the knowledge index {path} is missing")
        # immutable: the file is an artifact; SQLite takes no locks and writes nothing beside it.
        self._connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False
        )
        self._chunks = self.count()

    def search(self, query: str, limit: int = 5, *, without: frozenset[str] = frozenset()) -> list[Hit]:
        """The best chunks for `query`, best first.

        Where the same section stands in several sources, the source that the project names first is taken.
        `without` excludes rows by id (to ask what happens if they were not there).
        """
        asked = list(dict.fromkeys(content_words(query) or words(query)))[:64]
        if not asked:
            return []
        match = " OR ".join(f'"{word}"' for word in asked)
        rows = self._connection.execute(
            "SELECT c.id, c.row_id, c.source, c.rank, c.path, c.title, c.text, c.start, c.end, c.line,"
            " -bm25(words, ?, 1.0) AS score FROM words JOIN chunk c ON c.id = words.rowid"
            " WHERE words MATCH ? ORDER BY score DESC, c.id LIMIT ?",
            (_TITLE_WEIGHT, match, limit * 4 + len(without) * 8),
        ).fetchall()
        hits = [Hit(Chunk(*row[:10]), row[10]) for row in rows if row[1] not in without]
        best: dict[tuple[str, str], int] = {}
        for hit in hits:
            place = (hit.chunk.path, hit.chunk.title)
            best[place] = min(best.get(place, hit.chunk.rank), hit.chunk.rank)
        return [h for h in hits if h.chunk.rank == best[(h.chunk.path, h.chunk.title)]][:limit]

    def coverage(self, query: str, hits: Sequence[Hit]) -> float:
        """How much of a question the hits speak of: the share of its words that stand in any of them.

        Rare words count for more, by inverse document frequency; a word that stands in no document counts most, so
        a question about something else is seen to be one.
        """
        there = {stem(w) for h in hits for w in content_words(f"{h.chunk.title} {h.chunk.text}")}
        total = found = 0.0
        for word in dict.fromkeys(content_words(query)):
            weight = math.log((self._chunks + 1) / (self._frequency(word) + 0.5))
            total += weight
            found += weight * (stem(word) in there)
        return found / total if total else 0.0

    def _frequency(self, word: str) -> int:
        """Chunks that hold a word."""
        row = self._connection.execute("SELECT count(*) FROM words WHERE words MATCH ?", (f'"{word}"',)).fetchone()
        return int(row[0])

    def count(self) -> int:
        return int(self._connection.execute("SELECT count(*) FROM chunk").fetchone()[0])

    def close(self) -> None:
        self._connection.close()
