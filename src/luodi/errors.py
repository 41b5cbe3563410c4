"""Every error a user can see.

LuodiError                  exit code 2: something the user can put right
├── ProjectError            luodi.yaml, gates.yaml or rules.yaml: file, line, what was expected
├── StoreError              an artifact, the database or the disk
│   └── IntegrityError      content that does not match its digest or signature
├── StageError              a stage could not do its work
├── SourceError             a document, data set or model that could not be had or read
├── EngineError             a model that does not load or answer
├── ReleaseError            a release that may not be served, promoted or made
└── MissingExtraError       a library of an extra is not installed
"""

from __future__ import annotations

import importlib
from types import ModuleType


class LuodiError(Exception):
    """What went wrong, and what to do about it.

    Args:
        message: one sentence: what, and which value.
        hint: the next thing to try; shown on a line of its own.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ProjectError(LuodiError):
    """A mistake in the project's files."""


class StoreError(LuodiError):
    """The store could not be read or written."""


class IntegrityError(StoreError):
    """Content that does not match its digest or its signature."""


class StageError(LuodiError):
    """A stage could not do its work."""


class SourceError(LuodiError):
    """A document, data set or model that could not be had or read."""


class EngineError(LuodiError):
    """A model that does not load or does not answer."""


class ReleaseError(LuodiError):
    """A release that may not be made, promoted or served."""


class MissingExtraError(LuodiError):
    """A library that belongs to an extra is not installed."""


def require(module: str, *, extra: str) -> ModuleType:
    """Import `module`, or name the command that installs it.

    Raises:
        MissingExtraError: `module` is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name and not module.startswith(error.name.split(".")[0]):
            raise  # a dependency of the module is broken: not ours to explain
        raise MissingExtraError(
            f"{module!r} is not installed; it belongs to the extra {extra!r}",
            f"pip install 'luodi[{extra}]'",
        ) from error
