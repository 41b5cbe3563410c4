"""Suites: what a model is asked, as files. Read, run with what was asked before kept, measured."""

from __future__ import annotations

from pathlib import Path

from luodi.errors import SourceError
from luodi.evaluate.suites.builtin import BUILTIN, builtin
from luodi.evaluate.suites.run import Result, Subject, run_suite
from luodi.evaluate.suites.suite import SUITE, Suite, SuiteFile, SuiteItem, make_suite, read_suite

__all__ = [
    "BUILTIN",
    "SUITE",
    "Result",
    "Subject",
    "Suite",
    "SuiteFile",
    "SuiteItem",
    "find_suite",
    "make_suite",
    "read_suite",
    "run_suite",
]


def find_suite(name: str, *, project: Path, downloads: Path, seed: int = 0) -> Suite:
    """The suite in a folder (from the project's folder on), or the built-in one of that name.

    Raises:
        SourceError: there is neither.
    """
    folder = project / name
    if (folder / SUITE).is_file():
        return read_suite(folder)
    if name in BUILTIN:
        return builtin(name, downloads=downloads, project=project, seed=seed)
    raise SourceError(f"there is no suite {name!r}", f"write a folder with {SUITE}, or one of {', '.join(BUILTIN)}")
