"""`privacy/forgotten.csv`: places in documents that a person asked to have forgotten. Nothing of them is used again.

It holds no personal data, and belongs under version control with the project. A place counts for the version of the
document that it was found in; its row id says which.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from luodi.errors import ProjectError
from luodi.store import short_id, write_bytes

FILE = "privacy/forgotten.csv"


@dataclass(frozen=True, slots=True)
class Place:
    """Characters `start` to `end` of a document.

    Attributes:
        row_id: of the section that stands there, which also names the version of the document.
        certificate: id of the deletion certificate.
    """

    row_id: str
    source: str
    path: str
    start: int
    end: int
    certificate: str = ""

    def of(self, document: str) -> bool:
        """Whether it was found in this version of the document, by the id of its row."""
        return self.row_id == place_id(document, self.start, self.end)

    def param(self) -> dict[str, Any]:
        """As stages are given it: whose request it was does not matter."""
        return {name: value for name, value in asdict(self).items() if name != "certificate"}


_COLUMNS = [field.name for field in fields(Place)]


def place_id(document: str, start: int, end: int) -> str:
    """The row id of the section at a place of a document."""
    return short_id(document, "section", f"{start}:{end}")


def read(project: Path) -> list[Place]:
    """The places that a project forgets; none without the file.

    Raises:
        ProjectError: a line is wrong. To skip it would bring back what was forgotten.
    """
    path = project / FILE
    if not path.is_file():
        return []
    rows = list(csv.reader(io.StringIO(path.read_text("utf-8-sig"), newline="")))
    if not rows or rows[0] != _COLUMNS:
        raise ProjectError(f"{FILE}:1: the columns should be {','.join(_COLUMNS)}", "take it back from version control")
    found = []
    for number, row in enumerate(rows[1:], 2):
        try:
            row_id, source, name, start, end, certificate = row
            found.append(Place(row_id, source, name, int(start), int(end), certificate))
        except ValueError as error:
            raise ProjectError(f"{FILE}:{number}: {error}", "take it back from version control") from error
    return found


def add(project: Path, places: Iterable[Place]) -> int:
    """Add places that are not there yet; returns how many."""
    known = read(project)
    ids = {place.row_id for place in known}
    new = [place for place in {p.row_id: p for p in places}.values() if place.row_id not in ids]
    if new:
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(_COLUMNS)
        writer.writerows([getattr(p, name) for name in _COLUMNS] for p in [*known, *new])
        (project / FILE).parent.mkdir(parents=True, exist_ok=True)
        write_bytes(project / FILE, text.getvalue().encode())
    return len(new)


def changed_since(places: Sequence[Place], documents: dict[tuple[str, str], str]) -> list[str]:
    """Documents, by (source, path) -> row id, that have places in another version than this one."""
    there: dict[tuple[str, str], bool] = {}
    for place in places:
        document = documents.get((place.source, place.path))
        if document is not None:
            key = (place.source, place.path)
            there[key] = there.get(key, False) or place.of(document)
    return [path for (_, path), of in there.items() if not of]
