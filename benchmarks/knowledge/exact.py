"""What must hold by construction, counted on real documents: every citation is the text of its original, every
two-character Chinese word that stands in a document is found, and a fact planted in a text of 128,000 tokens is found.
"""

from __future__ import annotations

import random
import re
import tempfile
from collections import Counter
from pathlib import Path

from benchmarks.knowledge.corpora import NAMES, chunks, documents, originals, sections
from benchmarks.knowledge.questions import asked_of
from benchmarks.parts import Row, row

from luodi.evaluate.statistics import share
from luodi.knowledge import INDEX, Index, extract, sourced
from luodi.knowledge.chunks import Chunk
from luodi.knowledge.index import build
from luodi.knowledge.words import segment

COMMAND = "make bench-knowledge"
_WORDS = 200


def rows() -> list[Row]:
    out = []
    with tempfile.TemporaryDirectory() as work:
        for name in NAMES:
            found = documents(name)
            cut = sections(found)
            path = Path(work) / INDEX
            build(path, chunks(cut, found), originals(found))
            index = Index(path)
            out.append(_citations(name, index, cut, {(d.source, d.path): d.text for d in found}))
            if name.endswith("zh"):
                out.append(_words(index, [c.text for c in index.chunks(range(1, index.count() + 1)).values()]))
            index.close()
        out.append(_needles(Path(work)))
    return out


def _citations(name: str, index: Index, cut: list, texts: dict[tuple[str, str], str]) -> Row:
    """Answers to questions made of headings: of each citation, whether it is the original's text, and whether every
    sentence of the answer is one that its passage holds word for word (ALCE's recall and precision are then 1)."""
    exact: list[bool] = []
    for question, _ in asked_of(cut, 300):
        hits = index.search(question, 3)
        answer = extract(question, hits)
        for c in sourced(index, answer.citations):
            original = texts[(c.source, c.path)]
            quoted = all(s.quote in hits[s.passage].chunk.text for s in answer.checked if s.passage is not None)
            exact.append(bool(c.text) and original[c.start : c.end] == c.text and quoted)
    e = share(exact)
    return row(f"citations of extractive answers that are their original's text, {name}", e.value, "share", e.n,
               low=e.low, high=e.high, target="1", met=e.value == 1.0, command=COMMAND)  # fmt: skip


def _words(index: Index, texts: list[str]) -> Row:
    counted: Counter[str] = Counter()
    for text in texts:
        counted.update(w for w in segment(text).split() if re.fullmatch("[\u4e00-\u9fff]{2}", w))
    most = [word for word, _ in counted.most_common(_WORDS)]
    e = share([any(word in h.chunk.text or word in h.chunk.title for h in index.lexical(word, 5)) for word in most])
    return row("two-character Chinese words found", e.value, "share", e.n, low=e.low, high=e.high, target="1",
               met=e.value == 1.0, command=COMMAND)  # fmt: skip


def _needles(work: Path) -> Row:
    """A fact with names of its own, at a random depth of 128,000 tokens of Django's documentation."""
    rng = random.Random(7)
    text = list(chunks(*_long()))
    size, used = 0, []
    for chunk in text:
        used.append(chunk)
        size += len(chunk.text) / 4  # characters a token, English prose
        if size >= 128_000:
            break
    firsts = "Bram Tol Quen Wes Ald Nor Ker Hal Vin Sev".split()
    lasts = "stone ridge water field mere gate ford holt wick dale beck moor cliff strand bridge grove haven".split()
    names = [f"{a}{b}" for a in firsts for b in lasts]
    found = []
    for part in range(0, len(names), 20):
        facts = {name: rng.randrange(100, 9999) for name in names[part : part + 20]}
        with_them = list(used)
        for name, value in facts.items():
            fact = f"The access code of the {name} archive is {value}."
            at = rng.randrange(len(with_them))
            with_them.insert(at, Chunk(0, name, "s", 0, f"{name}.md", "Notes", fact, 0, len(fact), 1))
        build(work / "needle.sqlite", with_them)
        index = Index(work / "needle.sqlite")
        for name, value in facts.items():
            question = f"What is the access code of the {name} archive?"
            found.append(str(value) in extract(question, index.search(question, 3)).text)
        index.close()
    e = share(found)
    return row("a fact found in 128,000 tokens", e.value, "share", e.n, low=e.low, high=e.high, target="≥ 0.98",
               met=e.value >= 0.98, command=COMMAND)  # fmt: skip


def _long() -> tuple[list, list]:
    found = documents("django en")
    return sections(found), found
