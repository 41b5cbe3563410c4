"""Where sources disagree: two documents that say the same of the same thing, but for a value or a negation.

Found among the passages of one question, sentence by sentence; nothing is merged when the index is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from luodi.knowledge.answer import Citation, cite, sourced
from luodi.knowledge.asking import asked
from luodi.knowledge.index import Hit, Index
from luodi.knowledge.sentences import sentences
from luodi.knowledge.values import denies, values, without_values
from luodi.knowledge.words import content_words, stem

ALIKE = 0.6  # share of the words of both that are in both, from which two sentences speak of the same
_ABOUT = 0.34  # share of the question's words that a sentence, with its headings, must speak of
_MOST = 3


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence of a passage (counted from 0), and the values that it gives."""

    passage: int
    text: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two sources that disagree. `first` is of the source that the project names first, or of the better passage."""

    kind: Literal["value", "negation"]
    first: Said
    second: Said


@dataclass(frozen=True, slots=True)
class _Claim:
    said: Said
    about: frozenset[str]
    denies: bool
    place: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A conflict with its sources, as it is shown."""

    kind: str
    first: Citation
    second: Citation

    def as_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, "first": self.first.as_dict(), "second": self.second.as_dict()}


_SAY = {
    "en": "The sources disagree: “{first}” ({here}), but “{second}” ({there}).",
    "zh": "来源说法不一：“{first}”（{here}）；“{second}”（{there}）。",
}


def shown(index: Index, found: Sequence[Conflict], hits: Sequence[Hit]) -> tuple[Disagreement, ...]:
    """Conflicts with their places in the originals."""
    out = []
    for c in found:
        one, other = (cite(n, hits[s.passage], s.text) for n, s in enumerate((c.first, c.second), 1))
        out.append(Disagreement(c.kind, *sourced(index, (one, other))))
    return tuple(out)


def note(found: Sequence[Disagreement], language: str) -> str:
    """A sentence for each disagreement, with both sources and their dates."""

    def place(c: Citation) -> str:
        where = f"{c.path}, {c.unit} {c.at}" if c.unit and c.unit != "line" else f"{c.path}:{c.line}"
        return f"{where}, {c.date}" if c.date else where

    say = _SAY["zh" if language == "zh" else "en"]
    return "\n".join(
        say.format(first=d.first.quote, here=place(d.first), second=d.second.quote, there=place(d.second))
        for d in found
    )


def _claims(hit: Hit, number: int, wanted: frozenset[str]) -> list[_Claim]:
    chunk = hit.chunk
    heading = {stem(w) for w in content_words(chunk.title)}
    out = []
    for start, end in sentences(chunk.text):
        text = chunk.text[start:end].strip()
        about = frozenset(stem(w) for w in content_words(without_values(text)))
        if len(about) < 2 or (wanted and len(wanted & (about | heading)) < _ABOUT * len(wanted)):
            continue
        said = Said(number, text, tuple(sorted(values(text))))
        out.append(_Claim(said, about, denies(text), (chunk.source, chunk.path)))
    return out


def conflicts(question: str, hits: Sequence[Hit]) -> list[Conflict]:
    """Disagreements between different documents among `hits`, the clearest first; at most three.

    Two sentences that are alike but for their values: both must give a value, and neither holds all of the other's.
    """
    wanted = frozenset(stem(w) for w in content_words(asked(question)))
    claims = [claim for n, hit in enumerate(hits) for claim in _claims(hit, n, wanted)]
    found: list[tuple[float, Conflict]] = []
    for n, a in enumerate(claims):
        for b in claims[n + 1 :]:
            if a.place == b.place:
                continue
            alike = len(a.about & b.about) / len(a.about | b.about)
            if alike < ALIKE:
                continue
            kind = _kind(a, b)
            if kind:
                first, second = _ordered(a, b, hits)
                found.append((alike, Conflict(kind, first.said, second.said)))
    found.sort(key=lambda pair: -pair[0])
    seen: set[frozenset[str]] = set()
    out = []
    for _, conflict in found:
        key = frozenset((conflict.first.text, conflict.second.text))
        if key not in seen:
            seen.add(key)
            out.append(conflict)
    return out[:_MOST]


def _kind(a: _Claim, b: _Claim) -> Literal["", "value", "negation"]:
    mine, theirs = set(a.said.values), set(b.said.values)
    if mine and theirs and not mine <= theirs and not theirs <= mine:
        return "value"
    if a.denies != b.denies and mine == theirs and len(a.about & b.about) >= 3:
        return "negation"
    return ""


def _ordered(a: _Claim, b: _Claim, hits: Sequence[Hit]) -> tuple[_Claim, _Claim]:
    ranks = [hits[c.said.passage].chunk.rank for c in (a, b)]
    return (b, a) if ranks[1] < ranks[0] else (a, b)
