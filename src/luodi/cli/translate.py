"""Help in Chinese: click's pages with the texts of `help-zh.csv` (en, zh), wrapped by the width of their characters."""

from __future__ import annotations

import csv
import inspect
import re
from collections.abc import Iterable
from functools import cache
from importlib.resources import files

import click

from luodi.cli.show import width

_FULL = r"[⺀-鿿＀-￯]"  # characters of the width of two, between which a line may break
_PIECES = re.compile(rf"\s+|[（《]*(?:{_FULL}|(?:(?!{_FULL})\S)+)[，。；：、？！）》]*")


@cache
def table() -> dict[str, str]:
    """English text → Chinese text; the English one is exactly what click is given, or says itself."""
    with files("luodi.cli").joinpath("help-zh.csv").open(encoding="utf-8") as file:
        return {row["en"]: row["zh"] for row in csv.DictReader(file)}


def paragraphs(text: str) -> list[str]:
    """What is looked up for a help text: its paragraphs, and of a block of examples only the heading."""
    return [p.split("\n")[1] if p.startswith("\b\n") else " ".join(p.split()) for p in _parts(text)]


def _parts(text: str) -> list[str]:
    return [p for p in re.split(r"\n\s*\n", inspect.cleandoc(text)) if p]


def wrap(text: str, columns: int) -> list[str]:
    """Lines of at most `columns`; none begins with a closing mark, none ends with an opening one."""
    lines, line = [], ""
    for piece in _PIECES.findall(text):
        if line.strip() and width(line + piece.rstrip()) > columns:
            lines.append(line.rstrip())
            line = piece.lstrip()
        else:
            line += piece
    return [*lines, line.rstrip()]


class ChineseHelp(click.HelpFormatter):
    """Writes a help page in Chinese. A text that the table lacks stays English."""

    def __init__(self, ctx: click.Context, columns: int | None, most: int | None) -> None:
        super().__init__(width=columns, max_width=most)
        self._ctx = ctx

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        start = f"{table().get('Usage:', 'Usage: ') if prefix is None else prefix}{prog} "
        self.write(start + ("\n" + " " * width(start)).join(wrap(args, max(self.width - width(start), 20))) + "\n")

    def write_heading(self, heading: str) -> None:
        self.write(f"{'':>{self.current_indent}}{table().get(heading, heading)}：\n")

    def write_text(self, text: str) -> None:
        parts = []
        for part, english in zip(_parts(text), paragraphs(text), strict=True):
            if part.startswith("\b\n"):
                parts.append("\n".join(["\b", table().get(english, english), *part.split("\n")[2:]]))
            else:
                parts.append(_block(table().get(english, english), self.width - self.current_indent))
        super().write_text("\n\n".join(parts))

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        rows = list(rows)
        first = min(max((len(name) for name, _ in rows), default=0), col_max) + col_spacing
        columns = max(self.width - first - 2, 10)
        told = [(name, _block(self._described(name, text), columns) if text else "") for name, text in rows]
        super().write_dl(told, col_max, col_spacing)

    def _described(self, name: str, text: str) -> str:
        """The right column: an option's help and what click adds to it, or a command's first paragraph."""
        if text in table():
            return table()[text]
        if isinstance(self._ctx.command, click.Group):  # click cuts a command's help short; the table has the whole
            command = self._ctx.command.get_command(self._ctx, name)
            if command is not None and command.help:
                return table().get(paragraphs(command.help)[0], text)
        added = re.fullmatch(r"(?:(.*)  )?\[([^\[\]]+)\]", text)
        if added is None:
            return text
        extras = "；".join(_extra(item) for item in added[2].split("; "))
        return f"{table().get(added[1], added[1])} [{extras}]" if added[1] else f"[{extras}]"


def _extra(item: str) -> str:
    if item.startswith("default: "):
        return table().get("default: {default}", "default: {default}").format(default=item.removeprefix("default: "))
    return table().get(item, item)


def _block(text: str, columns: int) -> str:
    """Wrapped, and marked so that click leaves the lines alone: it counts every character as one."""
    return "\n".join(["\b", *wrap(text, columns)])
