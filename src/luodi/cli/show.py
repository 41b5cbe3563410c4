"""How commands speak: tables and bars on a terminal, plain lines in a pipe, JSON lines with --json."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from luodi.cli.words import word


@dataclass(slots=True)
class Show:
    """The one way out for a command's results."""

    as_json: bool = False
    language: str = "en"

    @property
    def fancy(self) -> bool:
        """Whether a person looks at a terminal."""
        return not self.as_json and sys.stdout.isatty()

    def say(self, key: str, /, **values: Any) -> str:
        """A text of the interface in the user's language."""
        return word(key, self.language).format(**values)

    def line(self, text: str, **data: Any) -> None:
        """A line for people, or its data for machines."""
        if self.as_json:
            print(json.dumps(data, ensure_ascii=False, default=str), flush=True)
        elif self.fancy:
            from rich.console import Console

            Console(highlight=False, markup=False, soft_wrap=True).print(text)
        else:
            print(text, flush=True)

    def table(
        self, columns: Sequence[str], rows: Sequence[Sequence[Any]], data: Sequence[dict[str, Any]], title: str = ""
    ) -> None:
        """A table for people; one JSON line a row for machines."""
        if self.as_json:
            for item in data:
                print(json.dumps(item, ensure_ascii=False, default=str))
            return
        cells = [[str(c) for c in row] for row in rows]
        if self.fancy:
            from rich.console import Console
            from rich.table import Table
            from rich.text import Text

            table = Table(title=title or None, header_style="bold", box=None, pad_edge=False)
            for column in columns:
                table.add_column(column, overflow="fold")
            for row in cells:
                table.add_row(*(Text(c, style=_style(c)) for c in row))
            Console(highlight=False).print(table)
            return
        if title:
            print(title)
        widths = [max(width(r[i]) for r in [list(columns), *cells]) for i in range(len(columns))]
        for row in [list(columns), *cells]:
            print("  ".join(c + " " * (w - width(c)) for c, w in zip(row, widths, strict=True)).rstrip())


_STYLES = {
    "pass": "green",
    "通过": "green",
    "block": "bold red",
    "拦下": "bold red",
    "need more": "yellow",
    "样本不足": "yellow",
}


def _style(cell: str) -> str:
    return _STYLES.get(cell, "")


def width(text: str) -> int:
    """Columns on a terminal, where a Chinese character takes two."""
    from unicodedata import east_asian_width

    return sum(2 if east_asian_width(c) in "WF" else 1 for c in text)


def warn(message: str, show: Show) -> None:
    """Something that the user set and that does nothing, on the error stream."""
    text = json.dumps({"warning": message}, ensure_ascii=False) if show.as_json else f"{show.say('warning')}: {message}"
    print(text, file=sys.stderr)


def fail(message: str, hint: str, show: Show) -> None:
    """An error, on the error stream so that a pipe stays clean."""
    if show.as_json:
        print(json.dumps({"error": message, "hint": hint}, ensure_ascii=False), file=sys.stderr)
        return
    print(f"{show.say('error')}: {message}", file=sys.stderr)
    if hint:
        print(f"  {hint}", file=sys.stderr)
