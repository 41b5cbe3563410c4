"""What a reader makes of a file: text, where its parts are in the file, and what was hidden in it."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from luodi.knowledge.reading.rst import Block, Kind, Section

MAX_TEXT = 20_000_000  # characters of one file
Unit = Literal["page", "slide", "row", "paragraph", "line"]

_CHINESE_GAP = re.compile(r"(?<=[\u3000-\u9fff\uff00-\uffef]) ?\n ?(?=[\u3000-\u9fff\uff00-\uffef])")
_HYPHEN = re.compile(r"(?<=[a-z])[-\u00ad\x02]\n(?=[a-z])")
_INVISIBLE = re.compile(
    "[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\U000e0000-\U000e007f]"
)
_JOINERS = re.compile("[\u200c\u200d\u00ad\ufeff]")  # which scripts, emoji and typesetters do use


class Unreadable(Exception):
    """A file that can't be read. The text says why, and is shown to the user beside the file's name."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What `text[start:end]` is. `level` counts headings from 1, and is 0 for all else."""

    start: int
    end: int
    kind: Kind | Literal["heading"]
    level: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """From `start` on, until the next place, the text stands at `at` (a page, a slide, a sheet's row) of the file."""

    start: int
    unit: Unit
    at: str


@dataclass(frozen=True, slots=True)
class Hidden:
    """Text that nobody sees who looks at the file. It is left out of the reading.

    `why`: invisible, tiny, off-page, zero-width, marked-hidden, comment, speaker-notes.
    """

    text: str
    why: str
    unit: Unit
    at: str


@dataclass(slots=True)
class Reading:
    """A file as text. Spans are characters of `text`, which is kept: what is cited can be held against it.

    Attributes:
        format: pdf, docx, pptx, xlsx, html, csv or scan.
        marks: headings and blocks, in order, not overlapping.
        places: in order of `start`; the first begins at 0.
        title, date: as the file states them ("" if it does not); the date as YYYY-MM-DD.
        notes: what was left out, in words (pages without text, formulas without a kept value, …).
    """

    format: str
    text: str
    marks: list[Mark]
    places: list[Place]
    hidden: list[Hidden] = field(default_factory=list)
    title: str = ""
    date: str = ""
    notes: list[str] = field(default_factory=list)

    def meta(self) -> dict[str, Any]:
        """All but the text, for a row's `meta`."""
        return {
            "format": self.format,
            "marks": [[m.start, m.end, m.kind, m.level] for m in self.marks],
            "places": [[p.start, p.unit, p.at] for p in self.places],
            "hidden": [[h.text, h.why, h.unit, h.at] for h in self.hidden],
            "title": self.title,
            "date": self.date,
            "notes": self.notes,
        }


def place_of(places: Sequence[Sequence[Any]], start: int) -> tuple[str, str]:
    """(unit, at) of the character `start`, of places as `meta` has them; ("", "") if there are none."""
    found = bisect_right(places, start, key=lambda place: place[0]) - 1
    return (str(places[found][1]), str(places[found][2])) if found >= 0 else ("", "")


class Builder:
    """Collects a reading's text part by part."""

    def __init__(self, format: str) -> None:
        self._format = format
        self._parts: list[str] = []
        self._size = 0
        self._marks: list[Mark] = []
        self._places: list[Place] = []
        self.hidden: list[Hidden] = []
        self.notes: list[str] = []
        self.title = ""
        self.date = ""

    def place(self, unit: Unit, at: str | int) -> None:
        """What follows stands here in the file."""
        self._places.append(Place(self._size, unit, str(at)))

    def hide(self, text: str, why: str) -> None:
        """Note text that nobody sees."""
        if text := " ".join(text.split()):
            last = self._places[-1] if self._places else Place(0, "line", "1")
            self.hidden.append(Hidden(text[:2000], why, last.unit, last.at))

    def add(self, text: str, kind: Kind | Literal["heading"] = "paragraph", level: int = 0) -> None:
        """A block. Lines inside it are kept; it ends with an empty line. Raises: Unreadable if the file is too long."""
        text = self._visible(text).strip()
        if not text:
            return
        self._marks.append(Mark(self._size, self._size + len(text), kind, level))
        self._parts += (text, "\n\n")
        self._size += len(text) + 2
        if self._size > MAX_TEXT:
            raise Unreadable(f"more than {MAX_TEXT // 1_000_000} M characters of text")

    def _visible(self, text: str) -> str:
        """Without signs that have no width; more than a joiner here and there is told of."""
        text = text.replace("\0", "")
        if not _INVISIBLE.search(text):
            return text
        found = _INVISIBLE.findall(text)
        if len(_JOINERS.sub("", "".join(found))) > 0 or len(found) > max(8, len(text) // 50):
            self.hide("".join(_spelled(sign) for sign in found[:500]), "zero-width")
        return _INVISIBLE.sub("", text)

    def done(self) -> Reading:
        """Raises: Unreadable if there is no text."""
        text = "".join(self._parts)
        if not text:
            why = "no text that can be seen" if self.hidden else "no text in it"
            raise Unreadable("; ".join([why, *self.notes]))
        places = self._places or [Place(0, "line", "1")]
        if places[0].start:
            places.insert(0, Place(0, places[0].unit, "1"))
        return Reading(self._format, text, self._marks, places, self.hidden, self.title, self.date, self.notes)


def _spelled(sign: str) -> str:
    """A tag character as the letter it stands for, any other as its code."""
    code = ord(sign)
    return chr(code - 0xE0000) if 0xE0020 <= code < 0xE007F else f"<U+{code:04X}>"


def sections(text: str, marks: Iterable[Sequence[Any]]) -> list[Section]:
    """Sections of a reading by its headings. `marks` as `Reading.meta` has them."""
    made: list[Section] = []
    titles: dict[int, str] = {}
    current: tuple[int, tuple[str, ...], int] = (0, (), 0)
    blocks: list[Block] = []
    line, counted = 1, 0

    def close(end: int) -> None:
        level, path, start = current
        if path or blocks:
            made.append(Section(level, path, "", start, end, text.count("\n", 0, start) + 1, tuple(blocks)))
        blocks.clear()

    for start, end, kind, level in marks:
        raw = text[start:end]
        line += text.count("\n", counted, start)
        counted = start
        if kind == "heading":
            close(start)
            titles = {k: v for k, v in titles.items() if k < level} | {level: joined(raw)}
            current = (level, tuple(titles[k] for k in sorted(titles)), start)
        else:
            words = joined(raw) if kind == "paragraph" else "\n".join(" ".join(x.split()) for x in raw.splitlines())
            blocks.append(Block(kind, words, start, end, line))
    close(len(text))
    return made


def joined(raw: str) -> str:
    """Lines of a paragraph as one: words broken at a line's end are whole again, Chinese lines meet without a space."""
    return " ".join(_CHINESE_GAP.sub("", _HYPHEN.sub("", raw)).split())
