"""Vectors beside the index: kept between builds, exact, and fused with words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from luodi.engine.embed import Hashing, Role
from luodi.errors import IntegrityError
from luodi.knowledge.chunks import Chunk
from luodi.knowledge.fuse import fuse, nearest
from luodi.knowledge.index import INDEX, build
from luodi.knowledge.vectors import Vectors, build_vectors, open_index

TEXTS = ["A parcel is sent back within 30 days.", "Shoes and boots may be worn at home.", "退货须在三十天内提出。"]


class Counting(Hashing):
    """Counts what it is asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Role]] = []

    def encode(self, texts: Sequence[str], *, role: Role = "query") -> np.ndarray:
        self.asked += [(text, role) for text in texts]
        return super().encode(texts, role=role)


def test_what_did_not_change_is_not_embedded_again(tmp_path: Path) -> None:
    embedder, kept = Counting(), tmp_path / "cache" / "vectors.sqlite"
    assert build_vectors(tmp_path, TEXTS, embedder, kept) == 3
    first = np.load(tmp_path / "vectors.npy")
    changed = [TEXTS[2], "A new one.", TEXTS[0]]
    assert build_vectors(tmp_path, changed, embedder, kept) == 1
    assert [text for text, _ in embedder.asked] == [*TEXTS, "A new one."]
    assert {role for _, role in embedder.asked} == {"passage"}
    second = np.load(tmp_path / "vectors.npy")
    assert (second[0] == first[2]).all() and (second[2] == first[0]).all()


def test_nearest_is_exact(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    words = [f"w{n}" for n in range(200)]
    texts = [" ".join(rng.choice(words, 8)) for _ in range(500)]
    embedder = Hashing()
    build_vectors(tmp_path, texts, embedder, tmp_path / "kept.sqlite")
    matrix = np.load(tmp_path / "vectors.npy").astype(np.float32)
    scores = matrix @ embedder.encode(["w3 w17 w5"])[0]
    expected = sorted(range(500), key=lambda n: (-scores[n], n))[:10]
    near = nearest(Vectors(tmp_path).similarities("w3 w17 w5"), 10)
    assert [chunk - 1 for chunk in near] == expected


def indexed(folder: Path) -> None:
    chunks = [Chunk(0, f"r{n}", "s", 0, f"{n}.md", f"Title {n}", text, 0, len(text), 1) for n, text in enumerate(TEXTS)]
    build(folder / INDEX, chunks)


def test_search_fuses_words_and_meaning(tmp_path: Path) -> None:
    indexed(tmp_path)
    assert [h.lexical for h in open_index(tmp_path).search("parcel", 3)] == [1]
    build_vectors(tmp_path, TEXTS, Hashing(), tmp_path / "kept.sqlite")
    hits = open_index(tmp_path).search("booting the parcel", 3)
    assert {h.chunk.path for h in hits} == {"0.md", "1.md", "2.md"}
    assert hits[0].chunk.path == "0.md" and hits[0].lexical == 1 and hits[0].dense > 0
    assert all(h.dense for h in hits)
    assert hits[0].score > hits[0].similarity  # for the words that it holds
    assert [h.score for h in hits] == sorted((h.score for h in hits), reverse=True)


def test_fuse() -> None:
    assert [item for item, _ in fuse([[1, 2, 3], [3, 1, 4]])] == [1, 3, 2, 4]
    assert fuse([]) == []


def test_vectors_that_do_not_belong_are_refused(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match="can't be read"):
        Vectors(tmp_path)
    build_vectors(tmp_path, TEXTS, Hashing(), tmp_path / "kept.sqlite")
    about = json.loads((tmp_path / "vectors.json").read_text())
    (tmp_path / "vectors.json").write_text(json.dumps(about | {"embedder": "hashing/0"}))
    with pytest.raises(IntegrityError, match="hashing/0, and hashing/1 is installed"):
        Vectors(tmp_path).similarities("x")
    (tmp_path / "vectors.json").write_text(json.dumps(about | {"dim": 3}))
    with pytest.raises(IntegrityError, match="dimensions"):
        Vectors(tmp_path)
