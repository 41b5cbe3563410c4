"""The documents as the tests see them: headings, code blocks, links and what stands in code."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

_FENCE = re.compile(r"^(`{3,}|~{3,})[ \t]*(\S*)[^\n]*\n(.*?)^\1[ \t]*$", re.M | re.S)
_HEADING = re.compile(r"^(#{1,6}) +(\S.*)$", re.M)
_INLINE = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.S)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    """A fenced code block. `language` is the word after the fence, "" where there is none."""

    language: str
    text: str


@dataclass(frozen=True)
class Page:
    """One Markdown file."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @cached_property
    def text(self) -> str:
        return self.path.read_text("utf-8")

    @cached_property
    def blocks(self) -> list[Block]:
        return [Block(m[2], m[3]) for m in _FENCE.finditer(self.text)]

    @cached_property
    def prose(self) -> str:
        """The text without its fenced blocks."""
        return _FENCE.sub("", self.text)

    @cached_property
    def headings(self) -> list[tuple[int, str]]:
        return [(len(m[1]), m[2].strip()) for m in _HEADING.finditer(self.prose)]

    @cached_property
    def inline(self) -> list[str]:
        """What stands between backticks in the prose, with line breaks as spaces."""
        return [" ".join(m[2].split()) for m in _INLINE.finditer(self.prose)]

    @cached_property
    def links(self) -> list[str]:
        return _LINK.findall(_INLINE.sub("", self.prose))

    def lines(self, start: str) -> list[str]:
        """Lines of the prose that begin with a pattern."""
        return [line for line in self.prose.splitlines() if re.match(start, line)]


def pages() -> list[Page]:
    """Every document of the repository."""
    return [Page(p) for p in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])]


def pairs() -> list[tuple[Page, Page]]:
    """Every English document with its Chinese mirror, whether that is there or not."""
    found = [(Page(p), Page(ROOT / "docs/zh" / p.relative_to(ROOT / "docs/en"))) for p in ROOT.glob("docs/en/**/*.md")]
    return [(Page(ROOT / "README.md"), Page(ROOT / "README.zh-CN.md")), *sorted(found, key=lambda p: p[0].name)]
