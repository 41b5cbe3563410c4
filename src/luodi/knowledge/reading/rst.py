"""Read reStructuredText, as Sphinx projects write it, into sections of plain text with a map to the original.

A hand-written line reader, not docutils: it never fails, needs no directives registered, runs no project
code, and keeps for every block the span it came from, so that a citation can show the source. The grammar
is that of the reStructuredText Markup Specification (docutils).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal
from unicodedata import east_asian_width

from luodi.knowledge.reading.rst_inline import plain_inline

Kind = Literal["paragraph", "list", "code", "definition", "note", "table"]


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of a section as plain text; `original[start:end]` (characters) holds its source.

    A list has a block per item, with its marker ("- ", "1. "), a table a line per row. `line` is 1-based.
    """

    kind: Kind
    text: str
    start: int
    end: int
    line: int


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with what stands below it, up to the next heading of any level.

    `titles` runs from the document's title to this section's own. Text before the first heading is a section
    of level 0 without titles. `start`, `end`: characters in the original; `line`: of the heading, 1-based.
    """

    level: int
    titles: tuple[str, ...]
    anchor: str
    start: int
    end: int
    line: int
    blocks: tuple[Block, ...]


_ADORNMENT = re.compile(r"([!-/:-@\[-`{-~])\1*")
_LABEL = re.compile(r"\.\. _(?!_)(`[^`]+`|(?:\\.|[^:\\])+):$")  # without an address: a place in this document
_DIRECTIVE = re.compile(r"\.\.\s+(?:[\w-]+:)?([A-Za-z][\w.+-]*)\s?::(?:\s+(.*))?$")
_FOOTNOTE = re.compile(r"\.\.\s+\[[^\]]+\]\s+")
_FIELD = re.compile(r":((?![: ])(?:\\.|[^:`\\])+):(?:\s+|$)")
_ITEM = re.compile(r"([*+\-•‣⁃])(?:\s+|$)")
_NUMBER = re.compile(r"(\(?(?:\d{1,4}|#|[A-Za-z]|[ivxlcdm]{2,6}|[IVXLCDM]{2,6})[.)])(?:\s+|$)")
_SIMPLE_TABLE = re.compile(r"=+(?: +=+)+")
_CODE = re.compile("code-block|sourcecode|code|parsed-literal|console|doctest|testcode|productionlist|math")
_NOTE = re.compile(
    "note|warning|tip|hint|important|caution|danger|attention|error|seealso|todo|(admonition|topic|sidebar)|"
    "(versionadded|versionchanged|versionremoved|deprecated)"
)
_VERSION_NOTE = {"versionadded": "New", "versionchanged": "Changed", "versionremoved": "Removed"}
_DROPPED = re.compile(
    "index|(current)?(module|class)(?<!^class)|toctree|highlight|image|figure|contents|program|include|raw|meta|"
    "literalinclude|(default-)?role|default-domain|(section|code)author|tabularcolumns|graphviz|auto\\w+|test\\w+"
)
_TRANSPARENT = re.compile("only|container|compound|glossary|rst-class|hlist|epigraph|highlights|centered")
# Sphinx's cross-reference markers print nothing: right above a heading they only repeat it.
_MARKER = re.compile("setting|templatetag|templatefilter|fieldlookup")
_MAX_DEPTH = 30  # of lists in lists and notes in notes; what is deeper is read as if it were not nested


def read_sections(text: str, *, product: str = "version") -> list[Section]:
    """Split a document at its headings; the sections follow one another and cover all of `text`.

    Args:
        text: any text; nothing in it raises. An empty one has no sections.
        product: names the software in version notes ("Django" gives "New in Django 5.2: ...").
    """
    return _Reader(text, product).sections()


def _columns(text: str) -> str:
    """`text` with a NUL after each double-width character, so that an index is a column on the screen."""
    return text if text.isascii() else "".join(c + "\0" * (east_asian_width(c) in "WF") for c in text)


def _rows(lines: list[str], cuts: list[int], *, grid: bool) -> list[list[str]]:
    """Cells of a table's rows: a rule ends a row of a grid, a first cell starts one of a simple table."""
    rows: list[list[str]] = []
    fresh = True
    for line in lines:
        if not line.strip("+-= |"):
            fresh = fresh or (line != "" and line[0] != "|")
            continue
        wide = _columns(line)
        cells = [wide[a:b].replace("\0", "").strip("| ") for a, b in pairwise([*cuts, len(wide) + 1])]
        if fresh or (cells[0] and not grid):
            rows.append(cells)
        else:
            rows[-1] = [f"{above}\n{cell}" for above, cell in zip(rows[-1], cells, strict=True)]
        fresh = False
    return rows


class _Reader:
    """The lines of a document, `body` stripped, `ind` the indentation (-1: blank), and the blocks."""

    def __init__(self, text: str, product: str) -> None:
        self.text, self.product = text, product
        self.starts = [0, *(match.end() for match in re.finditer(r"\r\n|\r|\n", text)), len(text)]
        raw = [text[a:b].lstrip("\ufeff").expandtabs() for a, b in pairwise(self.starts)]
        self.body = [line.strip() for line in raw]
        self.ind = [len(line) - len(line.lstrip(" ")) if line.strip() else -1 for line in raw]
        self.labels: dict[str, str] = {}
        self.out: list[Block] = []

    def sections(self) -> list[Section]:
        heads = list(self._headings())
        names = [self._anchor(top, plain_inline(self.body[title], {})) for top, title, _, _ in heads]
        firsts = [*(head[0] for head in heads), len(self.body)]
        styles = list(dict.fromkeys(head[3] for head in heads))  # levels: by order of appearance
        found, used, start, path = list[Section](), Counter[str](), 0, tuple[str, ...]()
        preamble = self._blocks(0, firsts[0])
        if self.text and (preamble or not heads):
            start = self.starts[firsts[0]]
            found.append(Section(0, (), "", 0, start, 1, preamble))
        for (_, title, body, style), following, name in zip(heads, firsts[1:], names, strict=True):
            level, end = styles.index(style) + 1, self.starts[following]
            path = (*path[: level - 1], plain_inline(self.body[title], self.labels))
            used[name] += 1
            anchor = f"{name}-{used[name]}" if used[name] > 1 else name
            found.append(Section(level, path, anchor, start, end, title + 1, self._blocks(body, following)))
            start = end
        return found

    def _headings(self) -> Iterator[tuple[int, int, int, tuple[str, bool]]]:
        """Of each heading: first line, line of the title, line after it, style (character, overlined)."""
        i, free = 0, True  # free: a heading may start here, the line is not in the middle of a paragraph
        while i + 1 < len(self.body):
            rule, under = self._rule(i), self._rule(i + 1)
            if free and rule and i + 2 < len(self.body) and self.ind[i + 1] >= 0 and not under:
                under = self._rule(i + 2)
                if under[:1] == rule[0] and self._carries(min(rule, under), i + 1):
                    yield i, i + 1, i + 3, (rule[0], True)
                    i += 3
                    continue
            elif free and under and self.ind[i] == 0 and not rule and self._carries(under, i):
                yield i, i, i + 2, (under[0], False)
                i += 2
                continue
            free = self.ind[i] != 0 or self.body[i].startswith(".. ")
            i += 1

    def _rule(self, line: int) -> str:
        """The line if it is one character again and again, at the left margin; else empty."""
        return self.body[line] if self.ind[line] == 0 and _ADORNMENT.fullmatch(self.body[line]) else ""

    def _carries(self, rule: str, title: int) -> bool:
        if rule == "::" or self.body[title].startswith(".. "):
            return False  # docutils takes a rule that is too short from four characters on, with a warning
        return len(rule) >= 4 or len(rule) >= len(_columns(self.body[title]))

    def _anchor(self, line: int, title: str) -> str:
        """The label right above a heading (others above it lead here too), else a slug of its title."""
        label = ""
        while line and (self.ind[line - 1] < 0 or self.body[line - 1].startswith(".. ")):
            line -= 1
            if match := _LABEL.match(self.body[line]):
                name = match[1].strip("`").replace("\\", "")
                self.labels[name.lower()] = title
                label = label or name
        slug = re.sub(r"[\W_]+", "-", title.lower()).strip("-")
        return label or re.sub(r"^[-\d]+(?=\D)", "", slug) or "section"

    def _blocks(self, lo: int, hi: int) -> tuple[Block, ...]:
        self.out = []
        self._read(lo, hi, "paragraph", 0)
        return tuple(self.out)

    def _emit(self, kind: Kind, text: str, lo: int, hi: int) -> None:
        source = self.text[self.starts[lo] : self.starts[hi]]
        start = self.starts[lo] + len(source) - len(source.lstrip())
        self.out.append(Block(kind, text, start, self.starts[lo] + len(source.rstrip()), lo + 1))

    def _prose(self, kind: Kind, lo: int, hi: int, mark: str = "") -> None:
        if text := plain_inline("\n".join(self.body[lo:hi]), self.labels):
            self._emit(kind, mark + text, lo, hi)

    def _extent(self, i: int, hi: int, ind: int) -> int:
        """The first line after `i` that is not blank and no deeper than `ind`."""
        i += 1
        while i < hi and (self.ind[i] < 0 or self.ind[i] > ind):
            i += 1
        return i

    def _read(self, i: int, hi: int, kind: Kind, depth: int, mark: str = "") -> None:
        """Read lines i to hi; paragraphs become `kind`, the first one with `mark` before it."""
        while i < hi:
            body, ind = self.body[i], self.ind[i]
            if ind < 0 or body.startswith("__ ") or (len(body) > 3 and _ADORNMENT.fullmatch(body)):
                i += 1
            elif body == ".." or body.startswith(".. "):
                i = self._explicit(i, hi, kind, depth)
            elif depth < _MAX_DEPTH and (match := _ITEM.match(body) or self._number(i, hi)):
                end = self._extent(i, hi, ind)
                self.body[i] = body[match.end() :]
                self.ind[i] = ind + match.end() if self.body[i] else -1
                self._read(i, end, "list", depth + 1, "- " if match[1] in "*+-#.•‣⁃" else match[1] + " ")
                i = end
            elif match := _FIELD.match(body):
                end = self._extent(i, hi, ind)
                if self.out:  # above everything else they are settings for Sphinx
                    self.body[i] = body[match.end() :]
                    self._prose("list", i, end, match[1] + ": ")
                i = end
            elif body.startswith(("+-", "+=", "=", "| ", ">>> ")) and (end := self._shaped(i, hi)) > i:
                i = end
            else:
                i = self._paragraph(i, hi, kind, mark)
                mark = ""

    def _number(self, i: int, hi: int) -> re.Match[str] | None:
        match = _NUMBER.match(self.body[i])
        if match and i + 1 < hi and self.ind[i + 1] == self.ind[i] and not _NUMBER.match(self.body[i + 1]):
            return None  # "A. Milne" at the start of a line that goes on
        return match

    def _paragraph(self, i: int, hi: int, kind: Kind, mark: str) -> int:
        j, ind = i + 1, self.ind[i]
        while j < hi and self.ind[j] == ind:
            j += 1
        last = self.body[j - 1]
        if not last.endswith("::"):
            term = j == i + 1 and j < hi and self.ind[j] > ind
            self._prose("definition" if term else kind, i, j, mark)
            return j
        self.body[j - 1] = last[:-1] if last[-3:-2].strip() else last[:-2]  # "text ::" shows no colon
        self._prose(kind, i, j, mark)
        end = self._extent(j - 1, hi, ind)
        self._code(j, end)
        return end

    def _code(self, lo: int, hi: int) -> None:
        if inside := [k for k in range(lo, hi) if self.ind[k] >= 0]:
            left, hi = min(self.ind[k] for k in inside), inside[-1] + 1
            lines = (" " * (self.ind[k] - left) + self.body[k] for k in range(inside[0], hi))
            self._emit("code", "\n".join(lines), inside[0], hi)

    def _shaped(self, i: int, hi: int) -> int:
        """Read a table, a line block or a Python session; returns the line after it, `i` if it is none."""
        body, j = self.body, i + 1
        simple = _SIMPLE_TABLE.fullmatch(body[i]) is not None
        while j < hi and (self.ind[j] >= self.ind[i] or (simple and body[j - 1] != body[i])):
            j += 1
        if body[i].startswith(">>> "):
            self._code(i, j)
            return j
        if body[i].startswith("| "):
            lines = (plain_inline(line.removeprefix("|"), self.labels) for line in body[i:j])
            self._emit("paragraph", "\n".join(lines).strip(), i, j)
            return j
        if body[i].strip("+-= ") or (simple and body[j - 1] != body[i]) or j < i + 3:
            return i
        cuts = [mark.start() for mark in re.finditer("=+" if simple else r"\+(?=.)", body[i])]
        lines = (" " * (self.ind[k] - self.ind[i]) + body[k] for k in range(i, j))
        rows = _rows(list(lines), cuts, grid=not simple)
        text = "\n".join(" | ".join(plain_inline(cell, self.labels) for cell in row).rstrip(" |") for row in rows)
        self._emit("table", text, i, j)
        return j

    def _explicit(self, i: int, hi: int, kind: Kind, depth: int) -> int:
        """A line that starts with two dots: a directive, a footnote, or something not to be read."""
        body, end, after = self.body[i], self._extent(i, hi, self.ind[i]), i + 1
        match = _DIRECTIVE.match(body)
        if match is None:
            if note := _FOOTNOTE.match(body):
                self.body[i] = body[note.end() :]
                self._prose(kind, i, end)
            return after if body == ".." and after < hi and self.ind[after] < 0 else end
        name, rest = match[1].lower(), match[2] or ""
        while after < end and _FIELD.match(self.body[after]):
            after += 1
        if _CODE.fullmatch(name):
            self._code(after, end)
        elif note := _NOTE.fullmatch(name):
            self._note(i, after, end, note, rest, min(depth + 1, _MAX_DEPTH))
        elif not _DROPPED.fullmatch(name):
            if rest and not _TRANSPARENT.fullmatch(name) and not self._repeated(name, i, hi):
                while after < end and self.ind[after] >= 0:
                    after += 1  # further signatures and options, up to a blank line
                lines = [rest, *(line for line in self.body[i + 1 : after] if not _FIELD.match(line))]
                shown = plain_inline(rest, self.labels) if name == "rubric" else "\n".join(lines)
                self._emit(kind if name == "rubric" else "definition", shown, i, after)
            return after
        return end

    def _repeated(self, name: str, i: int, hi: int) -> bool:
        """Whether only markup stands between this marker and the next heading, which says the same."""
        lines = range(i, hi) if _MARKER.fullmatch(name) and hi < len(self.body) else range(0)
        return bool(lines) and all(self.ind[k] < 0 or self.body[k].startswith(".. ") for k in lines)

    def _note(self, i: int, after: int, end: int, match: re.Match[str], rest: str, depth: int) -> None:
        title = "See also" if match[0] == "seealso" else match[0].capitalize()
        if match[1]:
            while after < end and self.ind[after] >= 0:
                rest, after = f"{rest}\n{self.body[after]}", after + 1
            title, rest = plain_inline(rest, self.labels) or title, ""
        elif match[2]:
            version, _, rest = rest.partition(" ")
            verb = f"{_VERSION_NOTE[match[0]]} in" if match[0] in _VERSION_NOTE else "Deprecated since"
            title = f"{verb} {self.product} {version}"
        if rest:  # the text begins on the directive's own line
            self.body[i], self.ind[i] = rest, max(self.ind[i] + 1, self.ind[i + 1] if i + 1 < end else 0)
        count = len(self.out)
        self._read(i if rest else after, end, "note", depth)
        title += "" if title[-1:] in tuple("?!:：？！") else ":"
        if len(self.out) > count and self.out[count].kind == "note":
            self.out[count] = replace(self.out[count], text=f"{title} {self.out[count].text}")
        else:
            self._emit("note", title if len(self.out) > count else title.rstrip(":"), i, i + 1)
            self.out.insert(count, self.out.pop())
