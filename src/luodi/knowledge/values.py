"""Values in a sentence in one form, so that two sentences can be compared: amounts, shares, dates, times, negation."""

from __future__ import annotations

import re
import unicodedata

_MONTHS = {
    name: n
    for n, names in enumerate(
        ("jan january", "feb february", "mar march", "apr april", "may", "jun june", "jul july", "aug august",
         "sep sept september", "oct october", "nov november", "dec december"), 1)
    for name in names.split()
}  # fmt: skip
_NAMES = "|".join(sorted(_MONTHS, key=len, reverse=True))
_ENGLISH = {
    word: n
    for n, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
        " seventeen eighteen nineteen twenty".split()
    )
} | {"thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90}
_HAN = {"零": 0, "〇": 0, "一": 1, "二": 2, "两": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8, "九": 9}
_HAN_UNIT = {"十": 10, "百": 100, "千": 1000}
_SCALE = {"万": 10**4, "亿": 10**8, "hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9}
_DATE = re.compile(
    rf"(?P<y>\d{{4}})\s*(?:[-/.]|年)\s*(?P<m>\d{{1,2}})\s*(?:[-/.]|月)\s*(?P<d>\d{{1,2}})日?"
    rf"|(?P<m2>{_NAMES})\.? (?P<d2>\d{{1,2}})(?:st|nd|rd|th)?,? (?P<y2>\d{{4}})"
    rf"|(?P<d3>\d{{1,2}})(?:st|nd|rd|th)? (?:of )?(?P<m3>{_NAMES})\.?,? (?P<y3>\d{{4}})"
    r"|(?P<y4>\d{4})年(?P<m4>\d{1,2})月"
)
_NUMBER = re.compile(
    r"(?<![A-Za-z0-9_.])(?P<n>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)*)\s*(?P<s>万|亿|thousand\b|million\b|billion\b)?"
    r"\s*(?P<p>%|percent\b|per cent\b)?"
)
_HAN_SHARE = re.compile("百分之([零〇一二两三四五六七八九十百]+)")
_HAN_NUMBER = re.compile("([零〇一二两三四五六七八九十百千]+)([万亿])?(?=[天日个月年小时分钟元块次人周级项条倍名份]|$)")
_TENS = "twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety"
_WORD_NUMBER = re.compile(
    rf"\b(?:(?P<t>{_TENS})(?:-(?P<u>one|two|three|four|five|six|seven|eight|nine))?"
    rf"|(?P<w>{'|'.join(sorted(_ENGLISH, key=len, reverse=True))}))(?: (?P<s>hundred|thousand|million|billion))?"
    r"(?: (?P<p>percent|per cent))?\b"
)
_NEGATION = re.compile(
    r"\b(?:not|no|never|cannot|without|nor|none|neither|unable|forbidden|prohibited|disallowed)\b|n't\b"
    r"|[不没无未勿禁]|非(?!常)|拒绝",
    re.I,
)


_LONGEST = 30  # digits of a number that is one; what is longer is compared as it is written


def _han(text: str) -> int | str:
    """A number written in Chinese; as it is written where it is no number of a usual size."""
    if len(text) > _LONGEST:
        return text
    if not any(sign in _HAN_UNIT for sign in text):
        return int("".join(str(_HAN[sign]) for sign in text))
    total = digit = 0
    seen = False
    for sign in text:
        if sign in _HAN_UNIT:
            total += (digit or (0 if seen else 1)) * _HAN_UNIT[sign]
            digit, seen = 0, True
        else:
            digit = _HAN[sign]
    return total + digit


def values(sentence: str) -> frozenset[str]:
    """Dates as 2026-03-04, shares as 5%, numbers without separators, 万, million and words written out; all as text."""
    text = unicodedata.normalize("NFKC", sentence).lower()
    found: set[str] = set()

    def date(match: re.Match[str]) -> str:
        g = {k: v for k, v in match.groupdict().items() if v}
        year, month, day = (next((v for k, v in g.items() if k[0] == part), "") for part in "ymd")
        number = _MONTHS.get(month) or int(month)
        found.add(f"{year}-{number:02d}" + (f"-{int(day):02d}" if day else ""))
        return " "

    text = _DATE.sub(date, text)
    for m in _NUMBER.finditer(text):
        plain = m["n"].replace(",", "")
        if plain.count(".") <= 1 and len(plain) <= _LONGEST:
            value = float(plain) * _SCALE.get(m["s"] or "", 1)
            plain = str(int(value)) if value == int(value) else repr(value)
        found.add(plain + ("%" if m["p"] else ""))
    for m in _HAN_SHARE.finditer(text):
        found.add(f"{_han(m[1])}%")
    for m in _HAN_NUMBER.finditer(_HAN_SHARE.sub(" ", text)):
        amount = _han(m[1])
        found.add(str(amount * _SCALE.get(m[2] or "", 1)) if isinstance(amount, int) else amount)
    for m in _WORD_NUMBER.finditer(text):
        if m["w"] == "one" and not m["s"] and not m["p"]:
            continue  # more often a pronoun than a number
        number = _ENGLISH[m["w"]] if m["w"] else _ENGLISH[m["t"]] + (_ENGLISH[m["u"]] if m["u"] else 0)
        found.add(str(number * _SCALE.get(m["s"] or "", 1)) + ("%" if m["p"] else ""))
    return frozenset(found)


def denies(sentence: str) -> bool:
    """Whether a sentence denies something: an odd number of negations."""
    return len(_NEGATION.findall(sentence)) % 2 == 1


def without_values(sentence: str) -> str:
    """A sentence with its values and negations taken out: what it speaks of."""
    text = _DATE.sub(" ", unicodedata.normalize("NFKC", sentence).lower())
    for pattern in (_NUMBER, _HAN_SHARE, _HAN_NUMBER, _WORD_NUMBER, _NEGATION):
        text = pattern.sub(" ", text)
    return text
