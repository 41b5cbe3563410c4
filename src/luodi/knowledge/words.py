"""Words of a text, the same for indexing, searching and checking, in English and Chinese."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import Any

from luodi.errors import require

_CJK = re.compile(r"[㐀-鿿豈-﫿]+")
_WORD = re.compile(r"\w+")

STOP_WORDS = frozenset(
    ["a", "about", "all", "also", "am", "an", "and", "any", "are", "aren", "as", "at", "be", "been", "being", "both", "but", "by", "can", "cannot", "can't", "could", "did", "didn", "do", "does", "doesn", "doing", "don", "don't", "down", "during", "each", "few", "for", "from", "further", "get", "gets", "had", "has", "have", "having", "he", "her", "here", "hers", "him", "his", "how", "i", "i'm", "if", "i'll", "in", "into", "is", "isn", "isn't", "it", "its", "it's", "itself", "just", "like", "me", "more", "most", "my", "myself", "no", "nor", "not", "of", "off", "on", "once", "only", "or", "other", "our", "out", "over", "own", "s", "same", "she", "should", "so", "some", "such", "t", "than", "that", "the", "their", "them", "then", "there", "these", "they", "this", "those", "through", "to", "too", "under", "until", "up", "use", "used", "using", "very", "was", "we", "were", "what", "what's", "when", "where", "which", "while", "who", "why", "will", "with", "would", "you", "your"]
) | frozenset(["的", "了", "和", "是", "在", "我", "有", "不", "吗", "呢", "怎么", "如何", "什么", "为什么", "哪些", "可以", "能", "要", "请", "一个"])


@cache
def _jieba() -> Any:
    return require("rjieba", extra="knowledge")


def has_chinese(text: str) -> bool:
    return bool(_CJK.search(text))


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
