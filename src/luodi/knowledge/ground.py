"""Checking what was generated against the passages, sentence by sentence. No threshold is ever relaxed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from luodi.knowledge.index import Hit
from luodi.knowledge.sentences import sentences
from luodi.knowledge.values import values
from luodi.knowledge.words import content_words, stem

MIN_COVERAGE = 0.75  # share of a sentence's content words that the passage must hold
MIN_WORDS = 2  # content words; a shorter sentence says too little to be checked

CITE = re.compile(r"\[(\d{1,2})\]")
_NAME = re.compile(r"\b(?:[A-Za-z]+[A-Z_]\w*|\w+_\w+|[A-Z]{2,}\w*)\b", re.A)
_NEGATION = re.compile(r"\b(?:not|no|never|cannot|without|nor|none|neither)\b|n't\b|[不没无未别]", re.I)


@dataclass(frozen=True, slots=True)
class Checked:
    """One sentence of an answer: the passage (from 0) that supports it, and every check with its result."""

    text: str
    passage: int | None
    checks: dict[str, bool]
    coverage: float
    quote: str = ""

    @property
    def supported(self) -> bool:
        return self.passage is not None


def strip_citations(text: str) -> str:
    return " ".join(CITE.sub("", text).split()).strip()


def check_against(sentence: str, passage: str) -> tuple[dict[str, bool], float]:
    """Checks of one sentence against one passage: numbers, names, negation, words; and the coverage of its words."""
    wanted = [stem(w) for w in content_words(sentence)]
    there = {stem(w) for w in content_words(passage)}
    coverage = sum(w in there for w in wanted) / len(wanted) if wanted else 0.0
    return {
        "numbers": values(CITE.sub("", sentence)) <= values(passage),
        "names": all(
            re.search(rf"(?<!\w){re.escape(name)}(?:e?s)?(?!\w)", passage, re.A) for name in _NAME.findall(sentence)
        ),
        "negation": _same_negation(sentence, set(wanted), passage),
        "words": len(wanted) >= MIN_WORDS and coverage >= MIN_COVERAGE,
    }, coverage


def _same_negation(sentence: str, wanted: set[str], passage: str) -> bool:
    """Whether a sentence of the passage that says the same denies where this one denies, and affirms where it affirms.

    Where no single sentence says the same, a denial needs one anywhere in the passage.
    """
    denies = bool(_NEGATION.search(sentence))
    alike = []
    for start, end in sentences(passage):
        part = passage[start:end]
        there = {stem(w) for w in content_words(part)}
        if wanted and len(wanted & there) >= MIN_COVERAGE * len(wanted):
            alike.append(bool(_NEGATION.search(part)))
    return denies in alike if alike else not denies or bool(_NEGATION.search(passage))


def check_sentence(sentence: str, hits: Sequence[Hit]) -> Checked:
    """The passage that supports a sentence: the one it cites if that holds, or else the best that does."""
    plain = strip_citations(sentence)
    cited = [int(n) - 1 for n in CITE.findall(sentence)]
    order = [n for n in cited if 0 <= n < len(hits)]
    order += [n for n in range(len(hits)) if n not in order]
    best: tuple[dict[str, bool], float] = ({"numbers": False, "names": False, "negation": False, "words": False}, 0.0)
    for n in order:
        passage = f"{hits[n].chunk.title}\n{hits[n].chunk.text}"
        checks, coverage = check_against(plain, passage)
        if all(checks.values()):
            return Checked(plain, n, checks, coverage, best_quote(plain, hits[n]))
        if coverage > best[1]:
            best = (checks, coverage)
    return Checked(plain, None, best[0], best[1])


def best_quote(sentence: str, hit: Hit) -> str:
    """The sentence of the passage that says most of `sentence`."""
    wanted = {stem(w) for w in content_words(sentence)}
    text = hit.chunk.text
    spans = sentences(text) or [(0, len(text))]

    def overlap(span: tuple[int, int]) -> float:
        there = {stem(w) for w in content_words(text[span[0] : span[1]])}
        return len(wanted & there) / (len(wanted | there) or 1)

    start, end = max(spans, key=overlap)
    return text[start:end].strip()
