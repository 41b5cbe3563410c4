"""From a model's text to an answer: supported sentences with their sources, an extract, or an abstention."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from luodi.knowledge.asking import asked
from luodi.knowledge.ground import Checked, check_sentence, strip_citations
from luodi.knowledge.index import Hit, Index
from luodi.knowledge.prompt import ABSTAIN
from luodi.knowledge.sentences import sentences
from luodi.knowledge.words import content_words, count_chinese, has_chinese, stem

Kind = Literal["generated", "extracted", "abstained"]
MIN_QUESTION_COVERAGE = 0.5  # share of the question that the passages must speak of, or it is not answered from them


@dataclass(frozen=True, slots=True)
class Citation:
    """A source: its place in the original document, and the words that support the sentence.

    Attributes:
        start, end: characters of the original; of the sentence that supports, or of the passage.
        unit, at: where that is in a file that has pages, slides or rows: "page", "12".
        text: `original[start:end]`; "" as long as nobody has looked it up (`sourced`).
        digest, date: of the file.
    """

    number: int
    source: str
    path: str
    line: int
    start: int
    end: int
    title: str
    quote: str
    row_id: str
    unit: str = ""
    at: str = ""
    text: str = ""
    digest: str = ""
    date: str = ""

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


def sufficient(index: Index, question: str, hits: Sequence[Hit]) -> bool:
    """Whether the passages speak of what is asked, so that an answer may be made from them."""
    return index.coverage(question, hits) >= MIN_QUESTION_COVERAGE


def says_unknown(text: str) -> bool:
    """Whether a text is an abstention."""
    plain = strip_citations(text).lower()
    return any(plain.startswith(a.lower().rstrip(".。")) for a in ABSTAIN.values())


def question_coverage(question: str, hit: Hit) -> float:
    """Share of the question's content words that stand in a passage or its title."""
    wanted = {stem(w) for w in content_words(asked(question))}
    there = {stem(w) for w in content_words(f"{hit.chunk.title} {hit.chunk.text}")}
    return len(wanted & there) / len(wanted) if wanted else 0.0


_UNSETTLED = re.compile(r"(?:[\s\"'“‘(\[]|\[\d{1,2}\]?)*\Z")
_LEADING_CITES = re.compile(r"(?:\s*\[\d{1,2}\])+")


def split_answer(text: str) -> list[str]:
    """Sentences of a model's text, each with the citations that follow it."""
    parts: list[str] = []
    for start, end in sentences(text):
        piece = text[start:end].strip()
        cites = _LEADING_CITES.match(piece)
        if cites and parts:
            parts[-1] += " " + cites[0].strip()
            piece = piece[cites.end() :].strip()
        if piece:
            parts.append(piece)
    return parts


class Grounder:
    """Checks an answer while it is being generated: text comes out a sentence at a time, once a passage supports it."""

    def __init__(self, question: str, hits: Sequence[Hit]) -> None:
        self._question, self._hits = question, hits
        self._buffer = ""
        self._done = 0  # sentences of the buffer that were judged
        self._kept: list[Checked] = []
        self._dropped: list[Checked] = []
        self._numbers: dict[int, int] = {}
        self._unknown = False

    def feed(self, text: str) -> str:
        """Text that may be shown now. The last sentence waits until another one starts or the answer ends."""
        self._buffer += text
        # What may yet become a citation, or opens a quotation, decides where the sentence before it ends and what it
        # cites: it waits for what follows.
        settled = self._buffer[: _UNSETTLED.search(self._buffer).start()]  # type: ignore[union-attr]
        return self._judge(split_answer(settled)[:-1])

    def finish(self) -> tuple[str, Grounded]:
        """The rest of the text, and the whole answer: an extract or an abstention if no sentence was kept."""
        rest = self._judge(split_answer(self._buffer))
        if self._kept:
            return rest, self._grounded("generated")
        if self._unknown or not self._hits:
            whole = abstain(self._question, self._hits, tuple(self._dropped))
        else:
            whole = extract(self._question, self._hits, tuple(self._dropped))
        return whole.text, whole

    def _judge(self, parts: list[str]) -> str:
        shown = []
        for sentence in parts[self._done :]:
            self._done += 1
            if self._unknown or not self._hits:
                continue
            if not self._kept and says_unknown(sentence):
                self._unknown = True
                continue
            plain = strip_citations(sentence)
            if not plain or plain.endswith((":", "：")):  # introduces a list or code that is not part of the answer
                continue
            checked = check_sentence(sentence, self._hits)
            if checked.passage is None:
                self._dropped.append(checked)
            elif checked.text not in {k.text for k in self._kept}:
                space = "" if not self._kept or has_chinese(checked.text[:1]) else " "
                self._kept.append(checked)
                number = self._numbers.setdefault(checked.passage, len(self._numbers) + 1)
                shown.append(f"{space}{checked.text} [{number}]")
        return "".join(shown)

    def _grounded(self, kind: Kind) -> Grounded:
        return _compose(kind, self._kept, self._dropped, self._hits)


def ground(question: str, generated: str, hits: Sequence[Hit]) -> Grounded:
    """Keep the sentences that a passage supports; quote the best passage if none is left; or abstain."""
    grounder = Grounder(question, hits)
    grounder.feed(generated)
    return grounder.finish()[1]


def extract(question: str, hits: Sequence[Hit], dropped: tuple[Checked, ...] = ()) -> Grounded:
    """The first sentences of the best passage, or an abstention if that passage is not about the question."""
    if not hits or question_coverage(question, hits[0]) < MIN_QUESTION_COVERAGE:
        return abstain(question, hits, dropped)
    text = hits[0].chunk.text
    spans = [(s, e) for s, e in sentences(text) if _whole(text[s:e])] or sentences(text)
    quotes = [text[s:e].strip() for s, e in spans[:2]] or [text.strip()]
    kept = [Checked(quote, 0, {"quoted": quote in text}, 1.0, quote) for quote in quotes]
    return _compose("extracted", kept, list(dropped), hits)


def _whole(sentence: str) -> bool:
    """Whether this is a sentence and not a term, a heading or the cell of a table that stands on a line of its own."""
    return sentence.rstrip()[-1:] in '.!?。！？…"”’)）' or len(sentence.split()) >= 5 or count_chinese(sentence) >= 8


def abstain(question: str, hits: Sequence[Hit], dropped: tuple[Checked, ...] = ()) -> Grounded:
    nearest = tuple(cite(n, h, h.chunk.text.split("\n")[0][:200]) for n, h in enumerate(hits[:2], 1))
    return Grounded(ABSTAIN[language_of(question)], "abstained", dropped=dropped, nearest=nearest)


def _compose(kind: Kind, kept: list[Checked], dropped: list[Checked], hits: Sequence[Hit]) -> Grounded:
    """Number the sources in the order they are first used."""
    numbers: dict[int, int] = {}
    quotes: dict[int, list[str]] = {}
    text = ""
    for sentence in kept:
        assert sentence.passage is not None
        number = numbers.setdefault(sentence.passage, len(numbers) + 1)
        quotes.setdefault(sentence.passage, []).append(sentence.quote)
        space = "" if not text or has_chinese(sentence.text[:1]) else " "
        text += f"{space}{sentence.text} [{number}]"
    citations = tuple(cite(numbers[p], hits[p], *quotes[p]) for p in numbers)
    return Grounded(text, kind, citations, tuple(kept), tuple(dropped))


def cite(number: int, hit: Hit, quote: str, *more: str) -> Citation:
    """The passage as a source; it points at all that is quoted of it."""
    c = hit.chunk
    places = [(at, at + len(q)) for q in (quote, *more) if q and (at := c.text.find(q)) >= 0]
    start, end = c.start, c.end
    if places:
        start, end = c.place(min(s for s, _ in places), max(e for _, e in places))
    return Citation(number, c.source, c.path, c.line, start, end, c.title, quote, c.row_id, c.unit, c.at)


def sourced(index: Index, citations: Sequence[Citation]) -> tuple[Citation, ...]:
    """Citations with the words of the original they point at, and what is known of its file."""
    out = []
    for c in citations:
        original = index.original(c.source, c.path)
        if original is not None:
            c = replace(c, text=original.text[c.start : c.end], digest=original.digest, date=original.date)
        out.append(c)
    return tuple(out)
