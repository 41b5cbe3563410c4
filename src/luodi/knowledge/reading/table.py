"""Tables: a row becomes a line that names its columns, so that it can be found and cited by itself."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from luodi.errors import require
from luodi.knowledge.reading.package import open_package
from luodi.knowledge.reading.reading import Builder, Reading, Unreadable

MAX_ROWS = 200_000
MAX_COLUMNS = 400


def read_csv(text: str) -> Reading:
    """Comma, semicolon, tab or bar. Raises: Unreadable."""
    try:
        dialect: Any = csv.Sniffer().sniff(text[:20_000], delimiters=",;\t|")
    except csv.Error:
        dialect = csv.excel
    made = Builder("csv")
    try:
        _rows(made, csv.reader(io.StringIO(text, newline=""), dialect, strict=False), "")
    except csv.Error as error:
        raise Unreadable(f"not a table: {error}") from error
    return made.done()


def read_xlsx(data: bytes) -> Reading:
    """Values as they were last computed; formulas are not run. Raises: Unreadable."""
    openpyxl = require("openpyxl", extra="documents")
    file = open_package(data, "xl/workbook.xml")
    try:
        book = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
        made = Builder("xlsx")
        changed = book.properties.modified
        made.title = book.properties.title or ""
        made.date = changed.date().isoformat() if changed is not None and changed.year > 2013 else ""
        for sheet in book.worksheets:
            rows = ([_cell(value) for value in row] for row in sheet.iter_rows(values_only=True))
            if sheet.sheet_state != "visible":
                made.place("row", sheet.title)
                made.hide("\n".join(" | ".join(filter(None, row)) for row, _ in zip(rows, range(50), strict=False)),
                          "marked-hidden")  # fmt: skip
                continue
            made.place("row", sheet.title)
            made.add(sheet.title, "heading", 1)
            _rows(made, rows, f"{sheet.title}!")
        return made.done()
    except Unreadable:
        raise
    except Exception as error:  # damage shows itself in many ways inside the library
        raise Unreadable(f"damaged: {type(error).__name__}: {error}") from error


def _rows(made: Builder, rows: Iterable[Sequence[str]], where: str) -> None:
    """Lines `column: value; …` under the first row that has two values or more."""
    names: list[str] = []
    for number, row in enumerate(rows, 1):
        if number > MAX_ROWS:
            made.notes.append(f"{where or 'the table'} is read up to row {MAX_ROWS:,}")
            return
        cells = [" ".join(cell.split()) for cell in row[:MAX_COLUMNS]]
        filled = [cell for cell in cells if cell]
        if not filled:
            continue
        made.place("row", f"{where}{number}")
        if not names:
            if len(filled) < 2:
                made.add(filled[0])
                continue
            if not any(cell.replace(".", "", 1).replace("-", "", 1).isdigit() for cell in filled):
                names = cells
                continue
            names = [f"{place + 1}" for place in range(len(cells))]
        named = [f"{names[i]}: {cell}" if i < len(names) and names[i] else cell for i, cell in enumerate(cells) if cell]
        made.add("; ".join(named), "table")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value == int(value) and abs(value) < 1e15:
        return str(int(value))
    if hasattr(value, "isoformat"):
        return str(value.isoformat()).removesuffix("T00:00:00")
    return str(value)
