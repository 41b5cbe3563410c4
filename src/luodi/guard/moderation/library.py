"""Libraries of words: read from CSV, JSON lines or plain text, without repeats, counted against the quotas.

Words are the same if their normal forms are: width, case, traditional signs between them do not make another word, so
that a library cannot reach its size by variants.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from luodi.errors import SourceError
from luodi.guard.moderation.automaton import LONGEST, Words, fold
from luodi.guard.moderation.categories import CATEGORIES, OPENAI

TOTAL = 10_000  # words of a library (GB/T 45654)
_MOST = 1_000_000
_LARGEST = 64 << 20  # bytes of a file
WORDS, ALLOWED = "words.csv", "allowed.txt"


@dataclass(frozen=True, slots=True)
class Word:
    """A word as it was written, and its category."""

    text: str
    category: str

    @property
    def normal(self) -> str:
        return fold(self.text)


@dataclass(frozen=True, slots=True)
class Quota:
    """How many words a category has and needs; "" is the whole library."""

    category: str
    has: int
    needs: int

    @property
    def met(self) -> bool:
        return self.has >= self.needs


@dataclass(slots=True)
class Library:
    """Words by category, and phrases in which they are harmless.

    Attributes:
        repeats: words that were left out because their normal form was there.
    """

    words: list[Word] = field(default_factory=list)
    allowed: list[str] = field(default_factory=list)
    repeats: int = 0
    _seen: set[tuple[str, str]] = field(default_factory=set, repr=False)

    def add(self, words: Iterable[Word]) -> int:
        """Add what is new; how many were."""
        before = len(self.words)
        for word in words:
            key = (word.normal, word.category)
            if key in self._seen:
                self.repeats += 1
            elif len(self.words) >= _MOST:
                raise SourceError(f"more than {_MOST:,} words", "split the library")
            else:
                self._seen.add(key)
                self.words.append(word)
        return len(self.words) - before

    def quotas(self) -> list[Quota]:
        """The whole first, then every category of which the standard wants words. Distinct normal forms count."""
        counts = Counter(word.category for word in self.words)
        total = len({word.normal for word in self.words})
        return [Quota("", total, TOTAL)] + [
            Quota(category.id, counts[category.id], category.words)
            for category in CATEGORIES.values()
            if category.words
        ]

    def automaton(self) -> Words:
        return Words([(word.text, word.category) for word in self.words], self.allowed)

    def save(self, folder: Path) -> None:
        """Write `words.csv` and `allowed.txt`."""
        folder.mkdir(parents=True, exist_ok=True)
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(("word", "category"))
        writer.writerows((word.text, word.category) for word in self.words)
        for name, text in ((WORDS, out.getvalue()), (ALLOWED, "".join(f"{a}\n" for a in self.allowed))):
            part = folder / f"{name}.part"
            part.write_text(text, "utf-8")
            part.replace(folder / name)


def read_words(path: Path, *, category: str = "") -> Iterator[Word]:
    """Words of a file: CSV with the columns word and category, JSON lines with these keys, or one word a line.

    Args:
        category: of words that name none.

    Raises:
        SourceError: there is no such file; or, with the line: no word, one that is too short or long, no category or an
            unknown one.
    """
    if not path.is_file():
        raise SourceError(f"there is no file {str(path)!r}", "name a file of words")
    if path.stat().st_size > _LARGEST:
        raise SourceError(f"{path.name} is larger than {_LARGEST >> 20} MB", "split it")
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise SourceError(f"{path.name}:{line}: not UTF-8", "save the file as UTF-8") from error
    for line, word, own in _rows(path, text):
        yield _word(f"{path.name}:{line}", word, own or category)


def _rows(path: Path, text: str) -> Iterator[tuple[int, object, str]]:
    if path.suffix == ".csv":
        reader = csv.DictReader(io.StringIO(text))
        if not reader.fieldnames or "word" not in reader.fieldnames:
            raise SourceError(f"{path.name}:1: no column 'word'", "the first line names the columns: word,category")
        for row in reader:
            yield reader.line_num, row.get("word"), row.get("category") or ""
    elif path.suffix in (".jsonl", ".ndjson"):
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip():
                try:
                    row = json.loads(line)
                except ValueError as error:
                    raise SourceError(f"{path.name}:{number}: not JSON", "write one object a line") from error
                if not isinstance(row, dict):
                    raise SourceError(f"{path.name}:{number}: not an object", 'write {"word": …, "category": …}')
                yield number, row.get("word"), str(row.get("category") or "")
    else:
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip() and not line.startswith("#"):
                yield number, line.strip(), ""


def _word(where: str, word: object, category: str) -> Word:
    if not isinstance(word, str) or not word.strip():
        raise SourceError(f"{where}: no word", "write word,category")
    normal = fold(word)
    if not normal or len(normal) > LONGEST:
        raise SourceError(f"{where}: {word[:40]!r} has {len(normal)} letters", f"a word has 1 to {LONGEST}")
    if normal.isascii() and len(normal) < 3:
        raise SourceError(f"{where}: {word!r} is too short to mean anything", "a Latin word has at least 3 letters")
    if category not in CATEGORIES and category not in OPENAI:
        raise SourceError(
            f"{where}: {category!r} is no category" if category else f"{where}: {word!r} has no category",
            "write one of A.1.1 to A.5.2, S1 to S14, or OpenAI's names",
        )
    return Word(word.strip(), category)


def read_library(folder: Path) -> Library:
    """The library in a folder; an empty one where there is none. Raises: SourceError."""
    library = Library()
    if (folder / WORDS).is_file():
        library.add(read_words(folder / WORDS))
    if (folder / ALLOWED).is_file():
        lines = (folder / ALLOWED).read_text("utf-8-sig").splitlines()
        library.allowed = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    return library
