"""The interface's texts, English and Chinese, from `words.csv` (key, en, zh)."""

from __future__ import annotations

import csv
import locale
import os
from functools import cache
from importlib.resources import files


@cache
def _table() -> dict[str, dict[str, str]]:
    with files("luodi.cli").joinpath("words.csv").open(encoding="utf-8") as file:
        return {row["key"]: row for row in csv.DictReader(file)}


def word(key: str, language: str) -> str:
    """The text of `key`. Raises: KeyError if there is no such text."""
    return _table()[key]["zh" if language == "zh" else "en"]


def keys() -> list[str]:
    return list(_table())


def find_language(asked: str) -> str:
    """The language asked for, or that of the locale."""
    if asked:
        return asked
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(name)
        if value:
            return "zh" if value.lower().startswith("zh") else "en"
    return "zh" if (locale.getlocale()[0] or "").lower().startswith(("zh", "chinese")) else "en"
