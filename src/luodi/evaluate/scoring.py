"""Scores of one answer: word F1 against a reference, and which passage it cites."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from luodi.knowledge import Hit
from luodi.knowledge.ground import strip_citations
from luodi.knowledge.words import words

_CITE = re.compile(r"\[(\d{1,2})\]")


def word_f1(answer: str, reference: str) -> float:
    """Harmonic mean of word precision and recall, as for SQuAD (Rajpurkar 2016), without its English article rule."""
    a, b = Counter(words(strip_citations(answer))), Counter(words(strip_citations(reference)))
    common = (a & b).total()
    return 2 * common / (a.total() + b.total()) if common else 0.0


def cites(answer: str, hits: Sequence[Hit], places: set[tuple[str, str]]) -> bool:
    """Whether the first citation in `answer` is a passage at one of `places` (path and title)."""
    match = _CITE.search(answer)
    if not match or not 1 <= int(match[1]) <= len(hits):
        return False
    chunk = hits[int(match[1]) - 1].chunk
    return (chunk.path, chunk.title) in places
