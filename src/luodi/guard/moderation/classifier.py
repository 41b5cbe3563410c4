"""A linear model of content categories over the n-grams that the attack model reads, one against the rest.

A category without enough examples is left out, and `about` says so.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from luodi.errors import SourceError, require
from luodi.guard.features import BUCKETS, Grams, grams
from luodi.guard.normalise import normalise

LEAST = 30  # examples of a category that is learnt
_FORMAT = 1
_LOWEST = np.float32(-3.0)  # margin of a threshold: a probability of 0.05


@dataclass(frozen=True, slots=True, eq=False)
class CategoryModel:
    """Weights and thresholds of each category.

    Attributes:
        categories: their ids.
        weights: float32, (BUCKETS, categories).
        bias, threshold: one a category; a margin over the threshold is more than the wanted share of benign texts have.
        version: format and digest of the weights.
        about: examples of each category, also of those that were too few.
    """

    categories: tuple[str, ...]
    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    threshold: NDArray[np.float32]
    version: str
    about: dict[str, int] = field(default_factory=dict)

    @staticmethod
    def train(
        texts: Sequence[str], labels: Sequence[Sequence[str]], *, seed: int = 0, benign_quantile: float = 0.99
    ) -> CategoryModel:
        """Fit on four fifths, choose each threshold on the rest; deterministic.

        Args:
            texts: each judged by its first 1,000 characters.
            labels: the categories of each text; none for a benign one.
            benign_quantile: share of held-out benign texts that stay under all thresholds together.

        Raises:
            SourceError: no category with 30 examples, or fewer than 30 benign texts.
            MissingExtraError: scikit-learn is not installed.
        """
        linear = require("sklearn.linear_model", extra="train")
        sparse = require("scipy.sparse", extra="train")
        counts: dict[str, int] = {}
        for own in labels:
            for name in own:
                counts[name] = counts.get(name, 0) + 1
        names = tuple(sorted(name for name, count in counts.items() if count >= LEAST))
        benign = np.array([not own for own in labels])
        if not names or benign.sum() < LEAST:
            raise SourceError(
                f"{len(texts)} texts with {int(benign.sum())} benign ones cannot train a model of categories",
                f"give {LEAST} of a category and of benign texts at least",
            )
        columns, values, ends = [], [], [0]
        for text in texts:
            found, weights = grams(normalise(text[:1000])).window(0, 2000)
            columns.append(found)
            values.append(weights)
            ends.append(ends[-1] + len(found))
        shape = (len(texts), BUCKETS)
        matrix = sparse.csr_matrix((np.concatenate(values), np.concatenate(columns), ends), shape=shape)
        held = np.random.default_rng(seed).random(len(texts)) < 0.2
        weights_of, biases = [], []
        for name in names:
            target = np.array([name in own for own in labels])
            model = linear.LogisticRegression(C=20.0, solver="liblinear", random_state=seed, class_weight="balanced")
            model.fit(matrix[~held], target[~held])
            weights_of.append(model.coef_[0].astype(np.float32))
            biases.append(float(model.intercept_[0]))
        stacked, bias = np.stack(weights_of, axis=1), np.array(biases, dtype=np.float32)
        margins = np.asarray(matrix[held & benign] @ stacked) + bias
        # every category may be wrong on its own share of texts, so that all together keep to the wanted one
        share = 1.0 - (1.0 - benign_quantile) / len(names)
        quantile = np.quantile(margins, share, axis=0, method="higher").astype(np.float32)
        version = f"{_FORMAT}:{_digest(stacked)}"
        # where the classes part cleanly the quantile is next to nothing, and any unknown text would be over it
        return CategoryModel(names, stacked, bias, np.maximum(quantile, _LOWEST), version, counts)

    def scores(self, forms: Sequence[Grams]) -> list[tuple[str, float]]:
        """(category, score) of each; 0.5 at its threshold. The worst window of the worst normal form."""
        best = np.full(len(self.categories), -60.0, dtype=np.float32)
        for form in forms:
            best = np.maximum(best, form.all_windows().margins(self.weights).max(axis=0) + self.bias)
        over = 1.0 / (1.0 + np.exp(-(best - self.threshold)))
        return list(zip(self.categories, over.tolist(), strict=True))

    def save(self, folder: Path) -> None:
        """Write `weights.npy` and `model.json` into `folder`, which is made."""
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / "weights.npy", self.weights, allow_pickle=False)
        fields: dict[str, Any] = {
            "format": _FORMAT, "categories": self.categories, "bias": self.bias.tolist(),
            "threshold": self.threshold.tolist(), "version": self.version, "about": self.about,
        }  # fmt: skip
        (folder / "model.json").write_text(json.dumps(fields, indent=1) + "\n", "utf-8")

    @staticmethod
    def load(folder: Path) -> CategoryModel:
        """Read what `save` wrote. Raises: SourceError if it is missing, broken or not what it says."""
        try:
            fields = json.loads((folder / "model.json").read_text("utf-8"))
            weights = np.load(folder / "weights.npy", allow_pickle=False)
            names = tuple(fields["categories"])
            if fields["format"] != _FORMAT or weights.shape != (BUCKETS, len(names)) or weights.dtype != np.float32:
                raise ValueError("another format")
            bias, threshold = (np.array(fields[key], dtype=np.float32) for key in ("bias", "threshold"))
            if fields["version"] != f"{_FORMAT}:{_digest(weights)}" or not len(bias) == len(threshold) == len(names):
                raise ValueError("the weights are not those named")
            return CategoryModel(names, weights, bias, threshold, fields["version"], fields["about"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SourceError(f"no model of categories in {str(folder)!r}: {error}", "train it again") from error


def _digest(weights: NDArray[np.float32]) -> str:
    return hashlib.sha256(weights.astype("<f4").tobytes()).hexdigest()[:12]
