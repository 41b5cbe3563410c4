"""The index: one SQLite file with documents, their chunks, and an FTS5 table over their segmented words (BM25).

Vectors, if there are any, lie beside it in one matrix (`vectors.py`).
"""

from __future__ import annotations

import json
import math
import sqlite3
import threading
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luodi.errors import IntegrityError
from luodi.knowledge.asking import asked
from luodi.knowledge.chunks import Chunk
from luodi.knowledge.fuse import fuse, nearest
from luodi.knowledge.glossary import Glossary
from luodi.knowledge.words import content_words, segment, stem, words

if TYPE_CHECKING:
    from luodi.knowledge.vectors import Vectors

INDEX = "index.sqlite"
DEPTH = 100  # chunks that each way of searching brings before they are fused
_TITLE_WEIGHT = 2.0
_WORDS_WEIGHT = 0.1  # of the share of the question's words, beside the cosine
_CHUNK = "c.id, c.row_id, c.source, c.rank, c.path, c.title, c.text, c.start, c.end, c.line, c.spans, c.unit, c.at"


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that was found; a higher score is a better match.

    Attributes:
        score: BM25 where words alone were searched, else cosine and share of the question's words.
        lexical, dense: its rank by words and by meaning, from 1; 0 if it was not among the first.
        similarity: cosine to the question, if there are vectors.
    """

    chunk: Chunk
    score: float
    lexical: int = 0
    dense: int = 0
    similarity: float = 0.0


@dataclass(frozen=True, slots=True)
class Original:
    """A document as it may be shown: personal data is blacked out, every character is in its place.

    `digest` is of the file; `date` as the file states it.
    """

    source: str
    path: str
    text: str
    digest: str = ""
    title: str = ""
    date: str = ""


def build(path: Path, chunks: Iterable[Chunk], originals: Iterable[Original] = ()) -> int:
    """Write an index of `chunks` to `path`, with the documents they come from; returns how many chunks."""
    path.unlink(missing_ok=True)
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode=OFF")
        connection.execute("BEGIN")
        connection.execute(
            "CREATE TABLE chunk (id INTEGER PRIMARY KEY, row_id TEXT, source TEXT, rank INTEGER, path TEXT, title TEXT,"
            " text TEXT, start INTEGER, end INTEGER, line INTEGER, spans TEXT, unit TEXT, at TEXT)"
        )
        connection.execute(
            "CREATE TABLE document (source TEXT, path TEXT, digest TEXT, title TEXT, date TEXT, text BLOB,"
            " PRIMARY KEY (source, path)) WITHOUT ROWID"
        )
        connection.execute(
            "CREATE VIRTUAL TABLE words USING fts5(title, body, content='', tokenize='porter unicode61')"
        )
        count = 0
        used = set()
        for count, c in enumerate(chunks, 1):
            used.add((c.source, c.path))
            spans = json.dumps(c.spans, separators=(",", ":"))
            connection.execute(
                "INSERT INTO chunk VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
                (count, c.row_id, c.source, c.rank, c.path, c.title, c.text, c.start, c.end, c.line, spans, c.unit,
                 c.at),
            )  # fmt: skip
            connection.execute(
                "INSERT INTO words(rowid, title, body) VALUES (?,?,?)", (count, segment(c.title), segment(c.text))
            )
        for o in originals:
            if (o.source, o.path) in used:
                packed = zlib.compress(o.text.encode("utf-8", "surrogatepass"), 9)
                connection.execute(
                    "INSERT INTO document VALUES (?,?,?,?,?,?)", (o.source, o.path, o.digest, o.title, o.date, packed)
                )
        connection.execute("INSERT INTO words(words) VALUES ('optimize')")
        connection.execute("COMMIT")
        connection.execute("VACUUM")
    finally:
        connection.close()
    return count


class Index:
    """Searches an index file. Safe to use from several threads.

    `vectors` adds what is near in meaning; without them words decide. `glossary` knows other words for the same.
    """

    def __init__(self, path: Path, vectors: Vectors | None = None, glossary: Glossary | None = None) -> None:
        if not path.is_file():
            raise IntegrityError(f"the knowledge index {path} is missing")
        # immutable: the file is an artifact; SQLite takes no locks and writes nothing beside it.
        self._connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False
        )
        columns = {row[1] for row in self._connection.execute("PRAGMA table_info(chunk)")}
        # releases of before have no spans of sentences
        self._columns = _CHUNK if "spans" in columns else _CHUNK.replace("c.spans, c.unit, c.at", "'[]', '', ''")
        self._has_documents = "spans" in columns
        self._chunks = self.count()
        self._vectors = vectors
        self._glossary = glossary or Glossary()
        self._originals: dict[tuple[str, str], Original | None] = {}
        self._lock = threading.Lock()

    def search(self, query: str, limit: int = 5, *, without: frozenset[str] = frozenset()) -> list[Hit]:
        """The best chunks for `query`, best first.

        By words and, where there are vectors, by meaning; the two orders are fused. Where the same section stands in
        several sources, the source that the project names first is taken. `without` excludes rows by id (to ask what
        happens if they were not there).
        """
        depth = max(limit * 4 + len(without) * 8, DEPTH if self._vectors else 0)
        found = self.lexical(query, depth)
        if self._vectors is not None:
            found = self._rescored(query, self._fused(found, self._vectors.similarities(query), depth))
        hits = [h for h in found if h.chunk.row_id not in without]
        best: dict[tuple[str, str], int] = {}
        for hit in hits:
            place = (hit.chunk.path, hit.chunk.title)
            best[place] = min(best.get(place, hit.chunk.rank), hit.chunk.rank)
        return [h for h in hits if h.chunk.rank == best[(h.chunk.path, h.chunk.title)]][:limit]

    def lexical(self, query: str, limit: int) -> list[Hit]:
        """The chunks in which the words of `query` stand, by BM25."""
        match = _match(query, self._glossary.related(query))
        if not match:
            return []
        rows = self._connection.execute(
            f"SELECT {self._columns}, -bm25(words, ?, 1.0) AS score FROM words JOIN chunk c ON c.id = words.rowid"  # noqa: S608
            " WHERE words MATCH ? ORDER BY score DESC, c.id LIMIT ?",
            (_TITLE_WEIGHT, match, limit),
        ).fetchall()
        return [Hit(_chunk(row), row[13], place) for place, row in enumerate(rows, 1)]

    def _fused(self, by_words: list[Hit], similarities: Any, depth: int) -> list[Hit]:
        """Both orders as one."""
        known = {h.chunk.id: h for h in by_words}
        dense = {chunk: rank for rank, chunk in enumerate(nearest(similarities, depth), 1)}
        more = self.chunks([chunk for chunk in dense if chunk not in known])
        out = []
        for chunk, score in fuse([list(known), list(dense)]):
            lexical = known[chunk].lexical if chunk in known else 0
            found = known[chunk].chunk if chunk in known else more[chunk]
            out.append(Hit(found, score, lexical, dense.get(chunk, 0), float(similarities[chunk - 1])))
        return out

    def _rescored(self, query: str, hits: list[Hit]) -> list[Hit]:
        """By how near they are in meaning, and how many of the question's words they hold, rare ones first.

        The weight is the one of four at which most sections of three real corpora were found by questions made of
        their headings (`benchmarks/knowledge`, whose recall is measured on the same ones).
        """
        weights = {stem(word): self.rarity(word) for word in dict.fromkeys(content_words(asked(query)))}
        total = sum(weights.values()) or 1.0
        scored = []
        for hit in hits[:DEPTH]:
            there = self.spoken(f"{hit.chunk.title} {hit.chunk.text}")
            covered = sum(weight for word, weight in weights.items() if word in there) / total
            scored.append(replace(hit, score=hit.similarity + _WORDS_WEIGHT * covered))
        return sorted(scored, key=lambda hit: -hit.score)

    def chunks(self, ids: Sequence[int]) -> dict[int, Chunk]:
        """Chunks by id."""
        marks = ",".join("?" * len(ids))
        rows = self._connection.execute(
            f"SELECT {self._columns} FROM chunk c WHERE c.id IN ({marks})",  # noqa: S608
            tuple(ids),
        )
        return {row[0]: _chunk(row) for row in rows}

    def original(self, source: str, path: str) -> Original | None:
        """The document that a chunk comes from; None in an index that holds none."""
        if not self._has_documents:
            return None
        key = (source, path)
        with self._lock:
            if key not in self._originals:
                if len(self._originals) >= 64:
                    self._originals.pop(next(iter(self._originals)))
                row = self._connection.execute(
                    "SELECT digest, title, date, text FROM document WHERE source=? AND path=?", key
                ).fetchone()
                self._originals[key] = (
                    Original(source, path, zlib.decompress(row[3]).decode("utf-8", "surrogatepass"), *row[:3])
                    if row
                    else None
                )
            return self._originals[key]

    def coverage(self, query: str, hits: Sequence[Hit]) -> float:
        """How much of a question the hits speak of: the share of its words that stand in any of them.

        Rare words count for more, by inverse document frequency; a word that stands in no document counts most, so
        a question about something else is seen to be one.
        """
        there = {w for h in hits for w in self.spoken(f"{h.chunk.title} {h.chunk.text}")}
        total = found = 0.0
        for word in dict.fromkeys(content_words(asked(query))):
            weight = self.rarity(word)
            total += weight
            found += weight * (stem(word) in there)
        return found / total if total else 0.0

    def spoken(self, text: str) -> set[str]:
        """Stems of the words of a text, and of those that mean the same by the glossary."""
        found = {stem(w) for w in content_words(text)}
        for term in self._glossary.related(text):
            found |= {stem(w) for w in content_words(term)}
        return found

    def rarity(self, word: str) -> float:
        """Inverse document frequency of a word; greatest for one that stands nowhere."""
        row = self._connection.execute("SELECT count(*) FROM words WHERE words MATCH ?", (f'"{word}"',)).fetchone()
        return math.log((self._chunks + 1) / (int(row[0]) + 0.5))

    @property
    def size(self) -> int:
        """Chunks, counted once."""
        return self._chunks

    def count(self) -> int:
        return int(self._connection.execute("SELECT count(*) FROM chunk").fetchone()[0])

    def close(self) -> None:
        self._connection.close()


def _match(query: str, related: Sequence[str]) -> str:
    plain = asked(query)
    wanted = list(dict.fromkeys(content_words(plain) or words(plain)))[:64]
    wanted += [w for w in dict.fromkeys(w for term in related[:16] for w in content_words(term)) if w not in wanted][
        :64
    ]
    return " OR ".join(f'"{word}"' for word in wanted)


def _chunk(row: Sequence[Any]) -> Chunk:
    spans = tuple(((a, b), (c, d)) for (a, b), (c, d) in json.loads(str(row[10])))
    return Chunk(*(*row[:10], spans, *row[11:13]))
