"""A linear model of prompt injection and jailbreaks over hashed n-grams, in a few milliseconds.

Platt scaling: Platt, Probabilistic outputs for support vector machines (1999). Hashing: Weinberger et al.
(2009).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import exp, log
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from luodi.errors import SourceError, require
from luodi.guard.attack_records import as_record
from luodi.guard.features import BUCKETS, WINDOW, Grams, grams
from luodi.guard.normalise import normalise, views

_FORMAT = 1
_FIELDS = ("bias", "spread", "slope", "offset", "threshold", "version", "conversation", "prior")
_HELD_OUT = 0.2
_PLAIN_RECORDS = 2  # without any text of the training data, for each that holds an attack
_HIDDEN_WEIGHT = 0.3  # of an attack put into benign text, beside 1 for the attack alone
# A document joined at random meets every odd text of every source; one of a single source does not. Five times
# the share of false positives on joined ones came to 1 % or less on real documentation.
_HARDER = 5.0
_DOCUMENTS = 400  # joined of held-out benign texts, to see how high the worst window of one gets
_TALKS, _TURNS = 400, 10  # conversations made of held-out benign texts, and the turns of each
_TURN = 160  # characters of a turn at most: what is written in chats is short, and riskier than prose
_DOCUMENT = 2_500  # characters of each
_READ = 200_000  # characters of one text that are judged


@dataclass(frozen=True, slots=True, eq=False)
class AttackModel:
    """Weights of the buckets, their calibration and the threshold chosen with them.

    Attributes:
        weights: float32, one a bucket.
        bias: added to the margin.
        spread: taken off the margin of a text of n windows, times log n: the worst of many is high by chance.
        slope, offset: Platt scaling, score = 1 / (1 + exp(-(slope * margin + offset))).
        threshold: score that the wanted share of held-out benign texts stays under.
        version: format and digest of the weights, for the verdict.
        conversation: the same of `conversation.Risk` over ten benign turns; 0 where it was not measured.
        prior: share of attacks among the texts that it was calibrated on.
    """

    weights: NDArray[np.float32]
    bias: float
    spread: float
    slope: float
    offset: float
    threshold: float
    version: str
    conversation: float = 0.0
    prior: float = 0.5

    @staticmethod
    def train(
        texts: Sequence[str], labels: Sequence[int], *, seed: int = 0, benign_quantile: float = 0.99
    ) -> AttackModel:
        """Fit on four fifths, calibrate and choose the threshold on the rest; deterministic.

        Args:
            texts: of any length; one that is longer than a window is learnt whole and by its first window.
            labels: 1 for an attack, 0 for a benign text.
            benign_quantile: share of held-out benign texts that must score below the threshold, which is
                never under 0.5.

        Raises:
            SourceError: fewer than ten texts of a class, or lengths that differ.
            MissingExtraError: scikit-learn is not installed.
        """
        marks = np.asarray(labels, dtype=np.int64)
        if len(texts) != len(marks) or min((marks == 0).sum(), (marks == 1).sum()) < 10:
            raise SourceError(
                f"{len(texts)} texts with {int((marks == 1).sum())} attacks cannot train an attack model",
                "give one label a text, and at least ten of each class",
            )
        linear = require("sklearn.linear_model", extra="train")
        held = _held_out(marks, seed)
        learnt = np.flatnonzero(~held).tolist()
        hidden, hidden_marks = _hidden([texts[place] for place in learnt], marks[~held], seed)
        matrix, rows = _matrix([texts[place] for place in learnt] + hidden)
        fitted = linear.LogisticRegression(C=20.0, solver="liblinear", random_state=seed, max_iter=200)
        targets = np.concatenate([marks[~held], hidden_marks])
        importance = np.where(rows < len(learnt), 1.0, _HIDDEN_WEIGHT)
        fitted.fit(matrix, targets[rows], sample_weight=importance)
        weights = fitted.coef_[0].astype(np.float32)
        raw = AttackModel(weights, float(fitted.intercept_[0]), 0.0, 1.0, 0.0, 0.5, "raw")
        margins = np.array([raw._margin(texts[place]) for place in np.flatnonzero(held).tolist()])
        platt = linear.LogisticRegression(C=1.0, random_state=seed).fit(margins[:, None], marks[held])
        slope, offset = float(platt.coef_[0, 0]), float(platt.intercept_[0])
        scores = _logistic(slope * margins + offset)
        benign = scores[marks[held] == 0]
        # where the classes part cleanly the quantile is next to nothing, and any unknown text would be over it
        quantile = float(np.quantile(benign, benign_quantile, method="higher"))
        threshold = max(0.5, float(np.nextafter(quantile, 1.0)))
        benign_texts = [texts[place] for place in np.flatnonzero(held & (marks == 0)).tolist()]
        spread = raw._excess(benign_texts, margins[marks[held] == 0], benign_quantile, seed)
        model = AttackModel(weights, raw.bias, spread, slope, offset, threshold, _version(weights))
        # a conversation is judged anew with each turn, by two signs
        strict = 1.0 - (1.0 - benign_quantile) / 2
        prior = float(np.mean(marks[held]))
        return replace(model, conversation=model._talk(benign_texts, strict, seed), prior=prior)

    def score(self, text: str) -> float:
        """How much `text` reads like an attack, 0 to 1: the worst window of the text and of its decodings."""
        return self._probability(self._margin(text))

    def score_grams(self, forms: Sequence[Grams]) -> float:
        """The same, with the n-grams of `views(text)` made already."""
        return self._probability(max(map(self._worst, forms)))

    def _probability(self, margin: float) -> float:
        return 1.0 / (1.0 + exp(-min(60.0, max(-60.0, self.slope * margin + self.offset))))

    def _margin(self, text: str) -> float:
        return max(self._worst(grams(view)) for view in views(text[:_READ]))

    def _worst(self, found: Grams) -> float:
        windows = found.all_windows()
        worst = float(windows.margins(self.weights).max())
        return worst + self.bias - (self.spread * log(windows.count) if windows.count > 1 else 0.0)

    def _excess(self, benign: list[str], margins: NDArray[np.float64], quantile: float, seed: int) -> float:
        """The spread that gives benign documents the margin at their quantile that single texts have at it."""
        rng = np.random.default_rng(seed)
        # documents are made of paragraphs; one-line questions, many of them made to look like attacks, are not
        paragraphs = [text for text in benign if len(text) >= WINDOW // 2]
        benign = paragraphs if len(paragraphs) >= 20 else benign
        worst: list[float] = []
        for _ in range(_DOCUMENTS):
            document = ""
            while len(document) < _DOCUMENT:
                document += benign[int(rng.integers(len(benign)))] + "\n\n"
            worst.append(self._worst(grams(normalise(document[:_DOCUMENT]))))
        windows = len(list(grams(" " * _DOCUMENT).windows()))
        excess = np.quantile(worst, max(0.0, 1.0 - _HARDER * (1.0 - quantile))) - np.quantile(margins, quantile)
        return max(0.0, float(excess) / log(windows))

    def _talk(self, benign: list[str], quantile: float, seed: int) -> float:
        """The risk that benign conversations stay under from their first turn to their last; at least 0.5."""
        from luodi.guard.conversation import Risk

        rng, risk = np.random.default_rng(seed), Risk(self)
        # a turn that is refused by itself is no part of a conversation that goes on
        turns = [text for text in benign if len(text) <= _TURN and self.score(text) < self.threshold] or benign
        scores = []
        for _ in range(_TALKS):
            talk = [turns[int(at)] for at in rng.integers(len(turns), size=_TURNS)]
            scores.append(max(risk.score(talk[:n], risk.one(talk[n - 1])) for n in range(2, _TURNS + 1)))
        return max(0.5, float(np.nextafter(np.quantile(scores, quantile, method="higher"), 1.0)))

    def save(self, folder: Path) -> None:
        """Write `weights.npy` and `model.json` into `folder`, which is made."""
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / "weights.npy", self.weights, allow_pickle=False)
        fields = {name: getattr(self, name) for name in _FIELDS}
        (folder / "model.json").write_text(json.dumps({"format": _FORMAT, **fields}, indent=1) + "\n", "utf-8")

    @staticmethod
    def load(folder: Path) -> AttackModel:
        """Read what `save` wrote.

        Raises:
            SourceError: a file is missing or broken, of another format, or the weights are not the ones
            named.
        """
        try:
            fields = json.loads((folder / "model.json").read_text("utf-8"))
            weights = np.load(folder / "weights.npy", allow_pickle=False)
            if fields.pop("format") != _FORMAT or weights.shape != (BUCKETS,) or weights.dtype != np.float32:
                raise ValueError("another format")
            model = AttackModel(weights, **fields)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SourceError(f"no attack model in {str(folder)!r}: {error}", "train it again") from error
        if model.version != _version(weights):
            raise SourceError(f"the weights in {str(folder)!r} are not those of {model.version!r}", "train it again")
        return model


def _logistic(margin: NDArray[np.float64] | np.float64) -> NDArray[np.float64]:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(margin, -60.0, 60.0))))


def _version(weights: NDArray[np.float32]) -> str:
    return f"{_FORMAT}:{hashlib.sha256(weights.astype('<f4').tobytes()).hexdigest()[:12]}"


def _held_out(marks: NDArray[np.int64], seed: int) -> NDArray[np.bool_]:
    """A fifth of each class, at least two texts."""
    held = np.zeros(len(marks), dtype=bool)
    rng = np.random.default_rng(seed)
    for mark in (0, 1):
        places = rng.permutation(np.flatnonzero(marks == mark))
        held[places[: max(2, int(len(places) * _HELD_OUT))]] = True
    return held


def _hidden(texts: Sequence[str], marks: NDArray[np.int64], seed: int) -> tuple[list[str], NDArray[np.int64]]:
    """Windows of joined benign texts, as many with a short attack in their midst as without; records, most without."""
    rng = np.random.default_rng(seed)
    benign = [text for text, mark in zip(texts, marks, strict=True) if mark == 0]
    out: list[str] = []
    found: list[int] = []
    for text, mark in zip(texts, marks, strict=True):
        if mark == 1 and len(text) < WINDOW:
            for inside, size in ((text, WINDOW - len(text)), ("", WINDOW)):
                around = ""
                while len(around) < size:
                    around += benign[int(rng.integers(len(benign)))] + " "
                # a benign text longer than the window would always give its own beginning
                start = int(rng.integers(len(around) - size + 1))
                around = around[start : start + size]
                cut = int(rng.integers(len(around) + 1))
                out.append(f"{around[:cut]} {inside} {around[cut:]}")
                found.append(int(bool(inside)))
            # and as one value of a record, as tools and mail bring it; being a record must not speak for an attack
            values = [benign[int(rng.integers(len(benign)))][:80] for _ in range(2)]
            place = int(rng.integers(len(values) + 1))
            other = benign[int(rng.integers(len(benign)))][:WINDOW]
            out += [as_record([*values[:place], inside, *values[place:]], rng) for inside in (text, other)]
            found += [1, 0]
            out += [as_record([], rng) for _ in range(_PLAIN_RECORDS)]
            found += [0] * _PLAIN_RECORDS
    return out, np.array(found, dtype=np.int64)


def _matrix(texts: Sequence[str]) -> tuple[object, NDArray[np.int64]]:
    """A sparse row a text, one more for the first window of a long one; the text of each row."""
    sparse = require("scipy.sparse", extra="train")
    columns, values, ends, rows = [], [], [0], []
    for place, text in enumerate(texts):
        found = grams(normalise(text))
        spans = [(0, found.length)] + ([(0, WINDOW)] if found.length > 2 * WINDOW else [])
        for start, stop in spans:
            buckets, weights = found.window(start, stop)
            columns.append(buckets)
            values.append(weights)
            ends.append(ends[-1] + len(buckets))
            rows.append(place)
    matrix = sparse.csr_matrix((np.concatenate(values), np.concatenate(columns), ends), shape=(len(rows), BUCKETS))
    return matrix, np.array(rows, dtype=np.int64)
