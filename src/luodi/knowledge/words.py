"""Words of a text, the same for indexing, searching and checking, in English and Chinese."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from importlib.resources import files
from typing import Any

from luodi.errors import require

_CJK = re.compile(r"[㐀-鿿豈-﫿]+")
_WORD = re.compile(r"\w+")

STOP_WORDS = frozenset(files("luodi.knowledge").joinpath("stopwords.txt").read_text("utf-8").split())


@cache
def _jieba() -> Any:
    return require("rjieba", extra="knowledge")


def has_chinese(text: str) -> bool:
    return bool(_CJK.search(text))


def count_chinese(text: str) -> int:
    """Chinese characters of `text`."""
    return sum(len(run) for run in _CJK.findall(text))


def segment(text: str) -> str:
    """`text` with spaces between Chinese words, since no index finds words that are not set apart."""
    text = unicodedata.normalize("NFKC", text)
    if not has_chinese(text):
        return text
    return _CJK.sub(lambda m: " " + " ".join(_jieba().cut_for_search(m[0])) + " ", text)


def words(text: str) -> list[str]:
    """Lower-case words in order; identifiers fall apart at underscores and dots as in the index."""
    return [w for part in _WORD.findall(segment(text).lower()) for w in part.split("_") if w]


def content_words(text: str) -> list[str]:
    """Words that carry meaning."""
    return [w for w in words(text) if w not in STOP_WORDS]


def stem(word: str) -> str:
    """A rough English stem, enough to match plurals and verb forms when checking an answer."""
    for ending in ("ations", "ation", "ingly", "edly", "ings", "ies", "ing", "ers", "ed", "es", "er", "ly", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)] + ("y" if ending == "ies" else "")
    return word
