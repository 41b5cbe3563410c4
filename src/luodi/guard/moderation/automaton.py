"""A library of words searched in one pass (Aho and Corasick, Efficient string matching, 1975), also on streams.

Text is folded sign by sign: width and case, and what is no letter or digit falls out, so that 敏·感·词 is found as if
it were written whole. Latin words are found between word boundaries only.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from luodi.errors import require

LONGEST = 64  # letters of a word
_GAP = 8  # signs in a row that may stand inside a word; more end it
_DROP, _BREAK = "\0", "\1"
_GAPS = re.compile(f"{_DROP}{{{_GAP + 1},}}")
_HOLD = 4096  # signs held at most
MASK = "***"
ALLOW = ""  # the category of a phrase in which words are harmless


class _Folding(dict[int, str]):
    """One sign for one: its folded form, or a mark if it is no letter or digit."""

    def __missing__(self, code: int) -> str:
        sign = chr(code)
        folded = unicodedata.normalize("NFKC", sign).lower()
        if len(folded) != 1:
            folded = folded[0] if folded and folded[0].isalnum() else _DROP
        value = folded if folded.isalnum() else _DROP
        if len(self) < 70_000:
            self[code] = value
        return value


_FOLD = _Folding()
for _code in range(128):
    _FOLD[_code]


def _signs(text: str) -> str:
    return text.translate(_FOLD)


def fold(text: str) -> str:
    """The letters and digits of `text` in normal form."""
    return unicodedata.normalize("NFKC", text).translate(_FOLD).replace(_DROP, "")


@dataclass(frozen=True, slots=True)
class Match:
    """A word found: half-open span in characters of the text, and its category."""

    start: int
    end: int
    category: str


class Words:
    """An automaton over words with their categories, and phrases in which they are harmless. Safe between threads.

    Raises:
        MissingExtraError: ahocorasick-rs is not installed.
    """

    def __init__(self, words: Iterable[tuple[str, str]], allowed: Iterable[str] = ()) -> None:
        library = require("ahocorasick_rs", extra="moderation")
        entries: dict[str, list[tuple[str, int]]] = {}
        digest = hashlib.sha256()
        for text, category in [*words, *((phrase, ALLOW) for phrase in allowed)]:
            normal = fold(text)
            if normal:
                parts = len(re.findall(rf"[^{_DROP}]+", _signs(text.strip())))
                known = entries.setdefault(normal, [])
                if (category, parts) not in known:
                    known.append((category, parts))
        self._words = sorted(entries)
        self._kinds = [tuple(entries[normal]) for normal in self._words]
        self._machine: Any = library.AhoCorasick(
            self._words, implementation=library.Implementation.ContiguousNFA, store_patterns=False
        )
        # what a word may begin with, to know where text could still become one
        self._prefixes = {normal[:size] for normal in self._words for size in range(1, len(normal) + 1)}
        for normal, kinds in sorted(entries.items()):
            digest.update(f"{normal}\t{kinds}\n".encode("utf-8", "surrogatepass"))
        self._empty = not entries
        self.longest = max(map(len, entries), default=0)
        self.version = f"1:{digest.hexdigest()[:12]}"

    def __len__(self) -> int:
        return len(self._words)

    def find(self, text: str, *, before: str = "", last: bool = True) -> list[Match]:
        """Words in `text`, by place, without those inside an allowed phrase.

        Args:
            before: the character before `text`.
            last: whether the text ends here; else a Latin word at its very end is not found yet.
        """
        if self._empty:
            return []
        signs = _signs(text)
        packed = _GAPS.sub(_BREAK, signs) if _DROP * (_GAP + 1) in signs else signs
        packed = packed.replace(_DROP, "")
        found = self._machine.find_matches_as_indexes(packed, overlapping=True)
        return self._placed(signs, found, before, last) if found else []

    def _placed(self, signs: str, found: list[Any], before: str, last: bool) -> list[Match]:
        places = _places(signs)
        matches: list[Match] = []
        harmless: list[tuple[int, int]] = []
        for word, first, end in found:
            size, kinds = end - first, self._kinds[word]
            start, stop = places[first], places[end - 1] + 1
            parts = None
            if _latin(self._words[word]):
                left = signs[start - 1] if start else _signs(before)
                right = signs[stop] if stop < len(signs) else "" if last else "a"
                if (left and _latin(left)) or (right and _latin(right)):
                    continue
                parts = len(signs[start:stop].replace(_DROP, " ").split())
            for category, own in kinds:
                if parts is not None and parts != own and parts < size:
                    continue  # "mass acre" is not "massacre", but "m a s s a c r e" is
                if category == ALLOW:
                    harmless.append((start, stop))
                else:
                    matches.append(Match(start, stop, category))
        if harmless:
            matches = [m for m in matches if not any(s <= m.start and m.end <= e for s, e in harmless)]
        return sorted(matches, key=lambda m: (m.start, m.end, m.category))

    def open_at(self, text: str) -> int:
        """From which character on `text` could still become part of a word; its length if from none."""
        if self._empty:
            return len(text)
        tail_start = max(0, len(text) - (self.longest + 1) * (_GAP + 1))
        signs = _signs(text[tail_start:])
        packed = (_GAPS.sub(_BREAK, signs) if _DROP * (_GAP + 1) in signs else signs).replace(_DROP, "")
        size = len(packed)
        for start in range(max(0, size - self.longest), size):
            if packed[start:] in self._prefixes:
                return tail_start + _places(signs)[start]
        return len(text)


def _latin(text: str) -> bool:
    return text.isascii() and text.isalnum()


def _places(signs: str) -> list[int]:
    """Where each sign of the packed text stands; a gap that is too long counts as one sign."""
    if _DROP * (_GAP + 1) not in signs:
        return [at for at, sign in enumerate(signs) if sign != _DROP]
    out: list[int] = []
    done = 0
    for gap in _GAPS.finditer(signs):
        out += [at for at in range(done, gap.start()) if signs[at] != _DROP]
        out.append(gap.start())
        done = gap.end()
    return out + [at for at in range(done, len(signs)) if signs[at] != _DROP]


def clusters(matches: list[Match]) -> Iterator[tuple[int, int, list[Match]]]:
    """Matches that overlap, together: (start, end, them)."""
    group: list[Match] = []
    end = -1
    for match in matches:
        if group and match.start >= end:
            yield group[0].start, end, group
            group = []
        end = max(end, match.end) if group else match.end
        group.append(match)
    if group:
        yield group[0].start, end, group
