"""Sections of Markdown and plain text, in the same form as the reStructuredText reader gives them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from luodi.knowledge.reading.rst import Block, Section

_HEADING = re.compile(r"^(#{1,6})[ \t]+(.+?)[ \t]*#*[ \t]*$")
_FENCE = re.compile(r"^[ \t]*(```+|~~~+)")
_INLINE = (
    (re.compile(r"!\[[^\]]*\]\([^)]*\)"), ""),
    (re.compile(r"\[([^\]]*)\]\([^)]*\)"), r"\1"),
    (re.compile(r"(\*\*|__)(.+?)\1"), r"\2"),
    (re.compile(r"`([^`]*)`"), r"\1"),
)


def clean_inline(text: str) -> str:
    """Markdown's marks taken out of a line of prose."""
    for pattern, by in _INLINE:
        text = pattern.sub(by, text)
    return " ".join(text.split())


def read_markdown(text: str) -> list[Section]:
    """Sections by headings; paragraphs, lists and fenced code as blocks. Spans are offsets in `text`."""
    sections: list[Section] = []
    titles: dict[int, str] = {}
    current: tuple[int, tuple[str, ...], int, int] = (0, (), 0, 1)
    blocks: list[Block] = []

    def close(end: int) -> None:
        level, path, start, line = current
        if path or blocks:
            anchor = re.sub(r"\W+", "-", path[-1].lower()).strip("-") if path else ""
            sections.append(Section(level, path, anchor, start, end, line, tuple(blocks)))
        blocks.clear()

    for kind, start, end, line, raw in _pieces(text):
        heading = _HEADING.match(raw) if kind == "line" else None
        if heading:
            close(start)
            level = len(heading[1])
            titles = {k: v for k, v in titles.items() if k < level} | {level: clean_inline(heading[2])}
            current = (level, tuple(titles[k] for k in sorted(titles)), start, line)
        elif kind == "code":
            blocks.append(Block("code", raw, start, end, line))
        else:
            is_list = bool(re.match(r"\s*([-*+]|\d+[.)])\s", raw))
            words = "\n".join(clean_inline(x) for x in raw.splitlines()) if is_list else clean_inline(raw)
            if words:
                blocks.append(Block("list" if is_list else "paragraph", words, start, end, line))
    close(len(text))
    return sections


def _pieces(text: str) -> Iterator[tuple[str, int, int, int, str]]:
    """(kind, start, end, line, text) of headings ("line"), paragraphs ("text") and fenced code ("code")."""
    at, fence, run, run_line = 0, "", [0, 0], 1
    has_run = False
    for number, line in enumerate(text.splitlines(keepends=True), 1):
        start, at = at, at + len(line)
        bare = line.strip()
        mark = _FENCE.match(line)
        if fence:
            run[1] = at
            if bare.startswith(fence) and not bare.strip(fence[0]):
                yield "code", run[0], run[1], run_line, "\n".join(text[run[0] : run[1]].splitlines()[1:-1])
                fence, has_run = "", False
            continue
        if has_run and (not bare or mark or _HEADING.match(line)):
            yield "text", run[0], run[1], run_line, text[run[0] : run[1]]
            has_run = False
        if mark:
            fence, run, run_line, has_run = mark[1], [start, at], number, True
        elif _HEADING.match(line):
            yield "line", start, at, number, line.rstrip("\r\n")
        elif bare:
            if not has_run:
                run, run_line, has_run = [start, at], number, True
            run[1] = start + len(line.rstrip("\r\n"))
    if has_run:
        yield ("code" if fence else "text"), run[0], run[1], run_line, text[run[0] : run[1]]
