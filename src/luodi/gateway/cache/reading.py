"""From a question to what is said in it: quoted text, numbers with units, names and words, in order."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from luodi.gateway.cache import chinese, english
from luodi.gateway.cache.numerals import number, spelled, unit_of

_QUOTED = re.compile(
    r"```(.+?)```|`([^`]+)`|\"([^\"]+)\"|“([^”]+)”|‘([^’]+)’|「([^」]+)」|『([^』]+)』|《([^》]+)》|(?<!\w)'([^']+)'(?!\w)",
    re.DOTALL,
)
_TOKEN = re.compile(
    r"\x00(?P<quote>\d+)\x00"
    r"|(?P<date>\d{4}[-/]\d{1,2}[-/]\d{1,2})(?!\d)"
    r"|(?P<number>[$€£¥]?\d+(?:,\d{3})+(?:\.\d+)?|[$€£¥]?\d+(?:\.\d+)*)(?P<unit>%|‰|°[cf]?|[a-z]{1,3}(?![a-z0-9_]))?"
    r"|(?P<name>--?[a-z][\w-]*|[/~.]?[a-z_][\w]*(?:(?:[._/:@\\]+|-(?=\w*\d))\w+)+/?|\w*(?:[a-z]\d|_|\d[a-z])\w*|[a-z]+(?:\+\+|#))"
    r"|(?P<word>[^\W\d_㐀-鿿]+)|(?P<han>[㐀-鿿]+)|(?P<sign>[<>=+*/&|%^~@#$-])",
    re.IGNORECASE,
)

_GREAT = re.compile(r"(\d+(?:\.\d+)?)\s*([万亿])")


class Token(NamedTuple):
    """kind: "quote", "number", "name" (an identifier, or capitalised inside a sentence), "not" or "word".

    `led`: a preposition stood before it.
    """

    kind: str
    text: str
    led: bool = False


def read(question: str) -> tuple[str, str, tuple[Token, ...]]:
    """(what it asks, tense, what it says) of a question."""
    text = unicodedata.normalize("NFKC", question).replace("\x00", " ").replace("’", "'").strip()
    quotes: list[str] = []

    def keep(match: re.Match[str]) -> str:
        quotes.append(" ".join(next(g for g in match.groups() if g is not None).split()))
        return f" \x00{len(quotes) - 1}\x00 "

    text = _QUOTED.sub(keep, text)
    text = _GREAT.sub(lambda m: number(m[1], 10_000 if m[2] == "万" else 100_000_000), text)
    asks_en, tense, text = english.frame(text)
    asks_zh, text = chinese.frame(text)
    raw: list[tuple[str, str]] = []
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or ""
        if match["number"] is not None:
            raw += _number(match["number"], match["unit"] or "")
        elif kind == "date":
            raw.append(("number", "/".join(str(int(n)) for n in re.split("[-/]", match[0]))))
        elif kind == "quote":
            raw.append(("quote", quotes[int(match["quote"])]))
        elif kind == "han":
            raw += chinese.split(match[0], behind_number=bool(raw) and raw[-1][0] == "number")
        elif kind == "name":
            raw.append(("name", match[0].lower().strip("./:-") or match[0]))
        else:
            raw.append((kind, match[0]))
    return asks_en or asks_zh, tense, tuple(_tokens(_with_units(spelled(raw))))


def _number(digits: str, unit: str) -> list[tuple[str, str]]:
    money, digits = (digits[0], digits[1:]) if digits[0] in "$€£¥" else ("", digits)
    found = unit_of(money or unit)
    if unit and not found and unit.lower() != "k":
        return [("name", f"{digits}{unit}".lower())]
    value = number(digits, 1000 if unit.lower() == "k" and not found else 1)
    return [("number", f"{value} {found}".strip())]


def _with_units(raw: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Numbers together with the unit that follows as a word."""
    out: list[tuple[str, str]] = []
    for kind, text in raw:
        if out and kind in ("word", "unit") and out[-1][0] == "number" and " " not in out[-1][1]:
            found = unit_of(text.lower())
            if found:
                out[-1] = ("number", f"{out[-1][1]} {found}")
                continue
        if kind != "unit":
            out.append((kind, text))
    return out


def _tokens(raw: list[tuple[str, str]]) -> list[Token]:
    out: list[Token] = []
    led = False
    for place, (kind, said) in enumerate(english.phrases(raw)):
        if kind == "lead":
            led = True
            continue
        text = said
        if kind == "word":
            text = english.lemma(said)
            if not text:
                led = led or english.leads(said)
                continue
            kind = "not" if text == "!" else "name" if place and said[0].isupper() else "word"
        out.append(Token("word" if kind in ("char", "sign") else kind, text, led))
        led = False
    return out
