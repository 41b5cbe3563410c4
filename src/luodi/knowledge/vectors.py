"""Vectors of chunks: one matrix on disk, mapped into memory and searched whole, so that what is found is exact."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from luodi.engine.embed import Embedder, open_embedder
from luodi.errors import IntegrityError
from luodi.knowledge.chunks import Chunk
from luodi.knowledge.glossary import Glossary
from luodi.knowledge.index import INDEX, Index

MATRIX = "vectors.npy"
ABOUT = "vectors.json"
KEPT = "vectors.sqlite"  # in the store's cache
LONGEST = 1200  # characters of a passage that are embedded
_SLICE = 65_536  # rows that are compared at a time, so that little more than the matrix is in memory


def build_vectors(
    folder: Path,
    texts: Sequence[str],
    embedder: Embedder,
    kept: Path,
    progress: Callable[[float, float], None] = lambda done, total: None,
) -> int:
    """Write the vectors of `texts`, in their order, into `folder`; returns how many had to be made.

    `kept` is a file of vectors made before, by text and embedder: what did not change costs nothing.
    """
    matrix = np.zeros((len(texts), embedder.dim), np.float16)
    made = 0
    kept.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(kept, timeout=60)) as store:
        store.execute("CREATE TABLE IF NOT EXISTS vector (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID")
        for done, text in enumerate(texts):
            short = text[:LONGEST]
            key = hashlib.sha256(f"{embedder.name}\0{short}".encode("utf-8", "surrogatepass")).digest()[:16]
            found = store.execute("SELECT value FROM vector WHERE key=?", (key,)).fetchone()
            if found is None:
                vector = embedder.encode([short], role="passage")[0].astype(np.float16)
                store.execute("INSERT OR REPLACE INTO vector VALUES (?,?)", (key, vector.tobytes()))
                made += 1
                if made % 50 == 0:
                    store.commit()  # a killed build goes on where it was
            else:
                vector = np.frombuffer(found[0], np.float16)
            matrix[done] = vector
            if done % 50 == 0:
                progress(done, len(texts))
        store.commit()
    np.save(folder / MATRIX, matrix)
    about = {"embedder": embedder.name, "kind": embedder.name.partition("/")[0], "dim": embedder.dim}
    (folder / ABOUT).write_text(json.dumps(about, sort_keys=True) + "\n", "utf-8")
    return made


class Vectors:
    """Searches the matrix in `folder`. The embedder is opened with the first question. Safe to use from threads.

    Raises:
        IntegrityError: the files are missing or do not belong together.
    """

    def __init__(self, folder: Path, embedder: Embedder | None = None) -> None:
        try:
            about = json.loads((folder / ABOUT).read_bytes())
            self._matrix: Any = np.load(folder / MATRIX, mmap_mode="r", allow_pickle=False)
            self.embedder_name, self._kind = str(about["embedder"]), str(about["kind"])
            if self._matrix.ndim != 2 or self._matrix.shape[1] != about["dim"]:
                raise ValueError("another number of dimensions")
        except (OSError, ValueError, KeyError) as error:
            raise IntegrityError(f"the vectors in {folder} can't be read: {error}") from error
        self._embedder = embedder
        self._lock = threading.Lock()

    def similarities(self, query: str) -> Any:
        """Cosine to `query` of every chunk, in the order of their ids, float32.

        Raises:
            IntegrityError: the embedder installed is not the one the vectors were made with.
        """
        vector = self._encode(query)
        return np.concatenate([np.zeros(0, np.float32), *(part @ vector for part in self._parts())])

    def _parts(self) -> Iterator[Any]:
        for start in range(0, len(self._matrix), _SLICE):
            yield np.asarray(self._matrix[start : start + _SLICE], np.float32)

    def _encode(self, query: str) -> Any:
        with self._lock:  # an embedder keeps buffers of its own
            if self._embedder is None:
                embedder = open_embedder(self._kind)
                if embedder.name != self.embedder_name:
                    raise IntegrityError(
                        f"the vectors were made with {self.embedder_name}, and {embedder.name} is installed",
                        "install that version, or build the index again",
                    )
                self._embedder = embedder
            return self._embedder.encode([query[:LONGEST]])[0]


def open_index(folder: Path) -> Index:
    """The index in `folder`, with its vectors and its glossary if it has any. Raises: IntegrityError."""
    return Index(folder / INDEX, Vectors(folder) if (folder / MATRIX).is_file() else None, Glossary.load(folder))


def retitled(
    source: Path,
    folder: Path,
    chunks: Sequence[Chunk],
    changed: Sequence[int],
    cache: Path,
    progress: Callable[[float, float, str], None],
) -> None:
    """Vectors for `chunks` into `folder`: those of `source`, but for the ids in `changed`; nothing if it has none."""
    if not (source / MATRIX).is_file():
        return
    about = json.loads((source / ABOUT).read_bytes())
    matrix = np.load(source / MATRIX, allow_pickle=False)
    embedder = open_embedder(str(about["kind"]))
    work = folder / "changed"
    work.mkdir(exist_ok=True)
    texts = [passage(chunks[n - 1]) for n in changed]
    build_vectors(work, texts, embedder, cache / KEPT, lambda done, total: progress(done, total, "embedding"))
    matrix[[n - 1 for n in changed]] = np.load(work / MATRIX, allow_pickle=False)
    np.save(folder / MATRIX, matrix)
    (folder / ABOUT).write_text(json.dumps(about, sort_keys=True) + "\n", "utf-8")


def passage(chunk: Chunk) -> str:
    """A chunk as it is embedded: its last two headings, then its text."""
    return " › ".join(chunk.title.split(" › ")[-2:]) + "\n" + chunk.text
