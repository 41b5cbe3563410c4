"""Planted conflicts: a sentence with a number, out of real documents, is said again in another document with another
number, in another form or order of words; the question is made of its words. A pair that is said again with the same
number, otherwise written, must not be taken for a conflict."""

from __future__ import annotations

import random
import re
import tempfile
from pathlib import Path

from benchmarks.knowledge.corpora import NAMES, chunks, documents, sections
from benchmarks.parts import Row, row

from luodi.evaluate.statistics import share
from luodi.knowledge import INDEX, Index
from luodi.knowledge.chunks import Chunk
from luodi.knowledge.conflict import conflicts
from luodi.knowledge.index import build
from luodi.knowledge.sentences import sentences
from luodi.knowledge.values import values
from luodi.knowledge.words import content_words

COMMAND = "make bench-knowledge"
_PLANTED = 100
_NUMBER = re.compile(r"(?<![\w.])\d{1,4}(?![\w.])")
_WORDS = "zero one two three four five six seven eight nine ten eleven twelve".split()
_HAN = "零一二三四五六七八九十"


def rows() -> list[Row]:
    return [r for name in NAMES for r in _of(name)]


def _of(name: str) -> list[Row]:
    found = documents(name)
    pieces = chunks(sections(found), found)
    rng = random.Random(3)
    chosen: list[tuple[Chunk, str]] = []
    for chunk in rng.sample(pieces, len(pieces)):
        for start, end in sentences(chunk.text):
            text = chunk.text[start:end]
            if len(_NUMBER.findall(text)) == 1 and 30 <= len(text) <= 240 and len(set(content_words(text))) >= 5:
                chosen.append((chunk, text))
                break
        if len(chosen) == _PLANTED:
            break
    shown, false = [], []
    with tempfile.TemporaryDirectory() as work:
        for kind, kept in (("other", shown), ("same", false)):
            planted = [
                Chunk(
                    0, f"planted{n}", "file:planted", 0, f"planted{n}.md", chunk.title, _again(text, kind, rng), 0, 9, 1
                )
                for n, (chunk, text) in enumerate(chosen)
            ]
            build(Path(work) / INDEX, [*pieces, *planted])
            index = Index(Path(work) / INDEX)
            for n, (_, text) in enumerate(chosen):
                question = " ".join(content_words(_NUMBER.sub(" ", text))[:12])
                found_ = conflicts(question, index.search(question, 5))
                kept.append(any(f"planted{n}" in {_path(index, question, s.passage) for s in (c.first, c.second)}
                                for c in found_))  # fmt: skip
            index.close()
    e, f = share(shown), share(false)
    return [
        row(f"planted conflicts shown, {name}", e.value, "share", e.n, low=e.low, high=e.high, target="≥ 0.95",
            met=e.value >= 0.95, command=COMMAND),
        row(f"the same number taken for a conflict, {name}", f.value, "share", f.n, low=f.low, high=f.high,
            command=COMMAND),
    ]  # fmt: skip


def _path(index: Index, question: str, passage: int) -> str:
    return index.search(question, 5)[passage].chunk.row_id


def _again(text: str, kind: str, rng: random.Random) -> str:
    """The sentence with another number, or with the same one in another form."""
    (number,) = _NUMBER.findall(text)
    value = int(number) if kind == "same" else int(number) + rng.randrange(1, 90)
    written = str(value)
    if value < len(_HAN) and any("\u4e00" <= s <= "\u9fff" for s in text):
        written = written if kind == "other" else number
    elif kind == "same" and 1 < value < len(_WORDS):
        written = _WORDS[value]
    made = _NUMBER.sub(written, text, count=1)
    return text if kind == "same" and values(made) != values(text) else made
