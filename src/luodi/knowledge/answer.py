"""From a model's text to an answer: supported sentences with their sources, an extract, or an abstention."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from luodi.knowledge.ground import MIN_WORDS, Checked, check_sentence, strip_citations
from luodi.knowledge.index import Hit
from luodi.knowledge.prompt import ABSTAIN
from luodi.knowledge.sentences import sentences
from luodi.knowledge.words import content_words, has_chinese, stem

Kind = Literal["generated", "extracted", "abstained"]
MIN_QUESTION_COVERAGE = 0.5  # share of the question's content words that the best passage must hold to be quoted


@dataclass(frozen=True, slots=True)
class Citation:
    """A source: the chunk's place in the original document, and the words that support the sentence."""

    number: int
    source: str
    path: str
    line: int
    start: int
    end: int
    title: str
    quote: str
    row_id: str

    def as_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Grounded:
    """A checked answer. `dropped` are sentences that no passage supports; they are never shown as part of it."""

    text: str
    kind: Kind
    citations: tuple[Citation, ...] = ()
    checked: tuple[Checked, ...] = ()
    dropped: tuple[Checked, ...] = ()
    nearest: tuple[Citation, ...] = field(default=())


def language_of(text: str) -> Literal["en", "zh"]:
    return "zh" if has_chinese(text) else "en"


def says_unknown(text: str) -> bool:
    """Whether a text is an abstention."""
    plain = strip_citations(text).lower()
    return any(plain.startswith(a.lower().rstrip(".。")) for a in ABSTAIN.values())


def question_coverage(question: str, hit: Hit) -> float:
    """Share of the question's content words that stand in a passage or its title."""
    asked = {stem(w) for w in content_words(question)}
    there = {stem(w) for w in content_words(f"{hit.chunk.title} {hit.chunk.text}")}
    return len(asked & there) / len(asked) if asked else 0.0


def ground(question: str, generated: str, hits: Sequence[Hit]) -> Grounded:
    """Keep the sentences that a passage supports; quote the best passage if none is left; or abstain."""
    if not hits or says_unknown(generated):
        return abstain(question, hits)
    kept: list[Checked] = []
    dropped: list[Checked] = []
    for start, end in sentences(generated):
        sentence = generated[start:end].strip()
        if len(content_words(strip_citations(sentence))) < MIN_WORDS and not kept:
            continue
        checked = check_sentence(sentence, hits)
        if not strip_citations(sentence):
            continue
        if checked.text not in {k.text for k in kept}:
            (kept if checked.supported else dropped).append(checked)
    if kept:
        return _compose("generated", kept, dropped, hits)
    return extract(question, hits, tuple(dropped))


def extract(question: str, hits: Sequence[Hit], dropped: tuple[Checked, ...] = ()) -> Grounded:
    """The first sentences of the best passage, or an abstention if that passage is not about the question."""
    if not hits or question_coverage(question, hits[0]) < MIN_QUESTION_COVERAGE:
        return abstain(question, hits, dropped)
    text = hits[0].chunk.text
    spans = sentences(text)[:2]
    quotes = [text[s:e].strip() for s, e in spans] or [text.strip()]
    ok = {"numbers": True, "names": True, "negation": True, "words": True}
    kept = [Checked(quote, 0, ok, 1.0, quote) for quote in quotes]
    return _compose("extracted", kept, list(dropped), hits)


def abstain(question: str, hits: Sequence[Hit], dropped: tuple[Checked, ...] = ()) -> Grounded:
    nearest = tuple(_citation(n, h, h.chunk.text.split("\n")[0][:200]) for n, h in enumerate(hits[:2], 1))
    return Grounded(ABSTAIN[language_of(question)], "abstained", dropped=dropped, nearest=nearest)


def _compose(kind: Kind, kept: list[Checked], dropped: list[Checked], hits: Sequence[Hit]) -> Grounded:
    """Number the sources in the order they are first used."""
    numbers: dict[int, int] = {}
    quotes: dict[int, str] = {}
    parts = []
    for i, sentence in enumerate(kept):
        assert sentence.passage is not None
        number = numbers.setdefault(sentence.passage, len(numbers) + 1)
        quotes.setdefault(sentence.passage, sentence.quote)
        last = i + 1 == len(kept) or kept[i + 1].passage != sentence.passage
        parts.append(sentence.text + (f" [{number}]" if last else ""))
    citations = tuple(_citation(numbers[p], hits[p], quotes[p]) for p in numbers)
    joiner = "" if has_chinese("".join(parts)) else " "
    return Grounded(joiner.join(parts), kind, citations, tuple(kept), tuple(dropped))


def _citation(number: int, hit: Hit, quote: str) -> Citation:
    c = hit.chunk
    return Citation(number, c.source, c.path, c.line, c.start, c.end, c.title, quote, c.row_id)
