"""A model's folder is looked at before it is used: files that a release may not hold, and what pickles would call."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from luodi.errors import MissingExtraError, ProjectError, require
from luodi.release.formats import problems


@dataclass(frozen=True, slots=True)
class Scanned:
    """A file, what is wrong with it ("" for nothing), and what a pickle in it calls, the dangerous first.

    Attributes:
        looked: whether the calls were looked for: not without the extra `scan`, and not in files that are fine.
    """

    path: str
    problem: str
    calls: tuple[str, ...] = ()
    dangerous: bool = False
    looked: bool = False


def scan(path: Path) -> Iterator[Scanned]:
    """Every file below a folder. Nothing is loaded: pickles are read by their instructions.

    Raises:
        ProjectError: there is no such folder.
    """
    if not path.is_dir():
        raise ProjectError(f"{path} is no folder")
    for file, problem in problems(path):
        name = file.relative_to(path).as_posix()
        if not problem or file.is_symlink():
            yield Scanned(name, problem)
            continue
        calls = _calls(file)
        if calls is None:
            yield Scanned(name, problem)
            continue
        named = tuple(f"{call} ({level})" for level, call in sorted(calls, key=lambda c: (_ORDER.index(c[0]), c[1])))
        yield Scanned(name, problem, named, any(level == "dangerous" for level, _ in calls), True)


_ORDER = ("dangerous", "suspicious", "innocuous")


def _calls(file: Path) -> set[tuple[str, str]] | None:
    """(level, name) of what pickles in a file call, by picklescan; None if it is not installed."""
    try:
        scanner = require("picklescan.scanner", extra="scan")
    except MissingExtraError:
        return None
    try:
        found = scanner.scan_file_path(str(file))
    except Exception:  # it raises whatever it meets in a broken file; the file is refused in any case
        return set()
    return {(call.safety.value.lower(), f"{call.module}.{call.name}") for call in found.globals}
