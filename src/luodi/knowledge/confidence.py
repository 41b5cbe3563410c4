"""How sure an answer is: a probability, fitted for each release on questions whose right passage is known.

The features are of what was found, so the probability is known before anything is written: an answer that is too
likely to be wrong need not be begun.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log
from typing import Any

from luodi.knowledge.asking import asked
from luodi.knowledge.index import Hit, Index
from luodi.knowledge.words import content_words, stem

FILE = "confidence.json"
MORE = 2  # passages that are looked at beyond those an answer is made from
FEATURES = (
    "best", "gap", "covered_by_best", "covered_by_all", "rarest_covered", "title_share", "title_is_all", "agree",
    "words", "same_section",
)  # fmt: skip


def features(index: Index, question: str, hits: Sequence[Hit]) -> list[float]:
    """Numbers that say how well `hits`, best first, speak of `question`; in the order of FEATURES.

    best, gap: log of the best score, and how far below it the best of another section is. covered_by_…: share of the
    question's words, weighted by rarity, that stand in the best passage, in all. rarest_covered: whether its rarest
    word does. title_share: share of the best passage's own heading that the question names; title_is_all: whether it
    names that and nothing else. agree: whether words and meaning put the same passage first. same_section: share of
    the hits that stand in the best one's section.
    """
    if not hits:
        return [0.0] * len(FEATURES)
    weights = {stem(w): index.rarity(w) for w in dict.fromkeys(content_words(asked(question)))}
    total = sum(weights.values()) or 1.0
    held = [index.spoken(f"{h.chunk.title} {h.chunk.text}") for h in hits]
    everything = set().union(*held)
    rarest = max(weights, key=weights.__getitem__, default="")
    heading = {stem(w) for w in content_words(hits[0].chunk.title.rpartition(" › ")[2])}
    first = hits[0]
    best = max(first.score, 1e-6)
    other = next((h.score for h in hits if h.chunk.row_id != first.chunk.row_id), 0.0)
    return [
        log(best),
        1.0 - max(other, 0.0) / best,
        sum(w for word, w in weights.items() if word in held[0]) / total,
        sum(w for word, w in weights.items() if word in everything) / total,
        float(rarest in held[0]),
        len(heading & set(weights)) / len(heading) if heading else 0.0,
        float(bool(heading) and heading == set(weights)),
        float(first.lexical == 1 and first.dense in (0, 1)),
        log(1 + len(weights)),
        sum(h.chunk.row_id == first.chunk.row_id for h in hits) / len(hits),
    ]


@dataclass(frozen=True, slots=True)
class Confidence:
    """Logistic regression over FEATURES, and from which probability on answers are given.

    Attributes:
        threshold: answers at least so likely to be right were wrong in at most `risk` of the cases, at a confidence of
            `level`; above 1 if no threshold keeps that promise.
        about: how it was measured (n, ECE, Brier, AUROC, the risk-coverage curve).
    """

    weights: tuple[float, ...]
    bias: float
    threshold: float
    risk: float
    level: float
    about: dict[str, Any]

    def probability(self, values: Sequence[float]) -> float:
        """How likely an answer from such passages is right."""
        z = self.bias + sum(w * v for w, v in zip(self.weights, values, strict=True))
        return 1.0 / (1.0 + exp(-max(-40.0, min(40.0, z))))

    def of(self, index: Index, question: str, hits: Sequence[Hit]) -> float:
        """The same, of passages; 0 where nothing was found."""
        return self.probability(features(index, question, hits)) if hits else 0.0

    def as_dict(self) -> dict[str, Any]:
        return {
            "features": list(FEATURES), "weights": list(self.weights), "bias": self.bias, "threshold": self.threshold,
            "risk": self.risk, "level": self.level, "about": self.about,
        }  # fmt: skip

    @staticmethod
    def read(data: dict[str, Any]) -> Confidence | None:
        """What `as_dict` gave; None if it was fitted to other features, by another version."""
        if tuple(data["features"]) != FEATURES:
            return None
        return Confidence(
            tuple(data["weights"]), data["bias"], data["threshold"], data["risk"], data["level"], data["about"]
        )


def missing(index: Index, question: str, hits: Sequence[Hit], most: int = 4) -> list[str]:
    """Words of the question that no passage holds, the rarest first: what the documents do not speak of."""
    there = {w for h in hits for w in index.spoken(f"{h.chunk.title} {h.chunk.text}")}
    absent = [w for w in dict.fromkeys(content_words(asked(question))) if stem(w) not in there]
    return sorted(absent, key=index.rarity, reverse=True)[:most]
