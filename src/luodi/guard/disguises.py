"""Disguises of Chinese, undone: characters taken apart (弓虽 for 强), and attacks written in pinyin.

Only what a text could not say by chance is turned back: two characters taken apart, or two words of pinyin in a row.
The table (`chinese.csv`) is our own.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from importlib.resources import files

_LEAST = 2


def _read() -> tuple[dict[str, str], dict[str, str]]:
    rows = list(csv.DictReader((files("luodi.guard") / "chinese.csv").read_text("utf-8").splitlines()))
    tables = [{row["written"]: row["means"] for row in rows if row["kind"] == kind} for kind in ("split", "pinyin")]
    return tables[0], tables[1]


_SPLIT, _PINYIN = _read()
_PARTS = re.compile("|".join(f"{pair[0]}[ ·.]?{pair[1]}" for pair in _SPLIT))
_SPACED = re.compile("(?:[一-鿿][ ._*·-]){3,200}[一-鿿]")
_LETTERS = re.compile(r"[a-z]+(?:[ '’-]?[a-z]+)*")
_WORDS = re.compile("|".join(sorted(_PINYIN, key=len, reverse=True)))
_HINT = re.compile(
    "hul|wushi|wangji|zhiling|tishi|guize|xianzhi|xitong|moshi|yueyu|raoguo|banyan|jiazhuang|xielou|jiechu"
)


def rejoin(normal: str) -> str:
    """`normal` with characters put together that were taken apart, if two are, and that stand apart, if four do."""
    if normal.isascii():
        return normal
    normal = _SPACED.sub(lambda run: re.sub("[ ._*·-]", "", run[0]), normal)
    out, count = _PARTS.subn(lambda found: _SPLIT[found[0][0] + found[0][-1]], normal)
    return out if count >= _LEAST else normal


def unpinyin(normal: str) -> str:
    """`normal` with pinyin of words that attacks are made of as characters; itself if there are fewer than two."""
    plain = normal
    if not plain.isascii():
        # tones are marks on the vowels
        plain = "".join(sign for sign in unicodedata.normalize("NFD", plain) if not "\u0300" <= sign <= "\u036f")
    if not _HINT.search(plain.replace(" ", "") if len(plain) < 4000 else plain):
        return normal
    count = 0

    def said(run: re.Match[str]) -> str:
        nonlocal count
        joined = re.sub("[ '’-]", "", run[0])
        out, found = _WORDS.subn(lambda word: _PINYIN[word[0]], joined)
        left = sum(sign.isascii() for sign in out)
        if found < _LEAST or left > len(joined) // 3:
            return run[0]
        count += found
        return out

    out = _LETTERS.sub(said, plain)
    return out if count else normal
