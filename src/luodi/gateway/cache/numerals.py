"""Numbers in one form: digits, English and Chinese number words, and the units behind them."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

_UNITS = {
    "ms": "ms millisecond milliseconds 毫秒", "second": "s sec secs second seconds 秒 秒钟",
    "minute": "min mins minute minutes 分钟", "hour": "h hr hrs hour hours 小时 个小时 钟头",
    "day": "d day days 天 日 号", "week": "week weeks 周 星期 个星期 礼拜", "month": "month months 月 个月 月份",
    "year": "year years yr yrs 年", "byte": "b byte bytes 字节", "kb": "kb kilobyte kilobytes",
    "mb": "mb megabyte megabytes 兆", "gb": "gb gigabyte gigabytes", "tb": "tb terabyte terabytes",
    "percent": "% percent", "permille": "‰", "usd": "$ usd dollar dollars 美元", "eur": "€ eur euro euros 欧元",
    "gbp": "£ gbp", "cny": "¥ cny rmb yuan 元 块 块钱 人民币", "m": "m meter meters metre metres 米",
    "km": "km kilometer kilometers kilometre kilometres 公里 千米", "cm": "cm 厘米", "mm": "mm 毫米",
    "kg": "kg kilogram kilograms 公斤 千克", "g": "g gram grams 克", "px": "px pixel pixels 像素",
    "celsius": "°c ° 度 摄氏度", "fahrenheit": "°f", "times": "times 次 遍",
    "item": "个 项 件 条 位 名 台 张 份 种 只 本 家",
}  # fmt: skip
_BY_NAME = {name: unit for unit, names in _UNITS.items() for name in names.split()}
_WORDS = {
    word: value
    for value, word in enumerate(
        [
            "zero",
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
            "thirteen",
            "fourteen",
            "fifteen",
            "sixteen",
            "seventeen",
            "eighteen",
            "nineteen",
        ]
    )
} | {w: 10 * n for n, w in enumerate(["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], 2)}
_SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "dozen": 12}
_DIGITS = {c: n for n, c in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_TENS = {"十": 10, "百": 100, "千": 1000}
_GREAT = {"万": 10**4, "亿": 10**8}
HAN = "零〇一二两三四五六七八九十百千万亿"


def unit_of(name: str) -> str:
    """The unit that `name` stands for; "" if it is none."""
    return _BY_NAME.get(name.lower(), "")


def number(digits: str, factor: int = 1) -> str:
    """A number without separators and trailing zeros; versions ("4.2.1", "3.10") stay as they are."""
    plain = digits.replace(",", "")
    if factor == 1 and re.fullmatch(r"\d+\.\d+(\.\d+)+|\d+\.\d*0", plain):
        return plain
    try:
        value = Decimal(plain) * factor
    except InvalidOperation:
        return plain
    return format(value.normalize(), "f")


def spelled(raw: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """English number words as numbers. "one" alone is an article."""
    out: list[tuple[str, str]] = []
    i = 0
    while i < len(raw):
        total, part, used = 0, 0, 0
        while i + used < len(raw) and raw[i + used][0] == "word":
            word = raw[i + used][1].lower()
            if word in _WORDS and (used == 0 or part % 100 == 0 or (part % 10 == 0 and _WORDS[word] < 10)):
                part += _WORDS[word]
            elif word in _SCALES and (used or word == "dozen"):
                part = max(part, 1) * _SCALES[word]
                if _SCALES[word] > 100:
                    total, part = total + part, 0
            elif (
                word == "and"
                and used
                and part >= 100
                and i + used + 1 < len(raw)
                and (raw[i + used + 1][1].lower() in _WORDS)
            ):
                pass
            else:
                break
            used += 1
        if used and not (used == 1 and raw[i][1].lower() == "one"):
            out.append(("number", str(total + part)))
            i += used
        else:
            out.append(raw[i])
            i += 1
    return out


def han_number(text: str) -> int | None:
    """The value of a Chinese numeral, for instance 三万五千; None if it is none."""
    if not text or any(c not in HAN for c in text):
        return None
    if all(c in _DIGITS for c in text):
        return int("".join(str(_DIGITS[c]) for c in text))
    total = section = digit = 0
    for c in text:
        if c in _DIGITS:
            digit = _DIGITS[c]
        elif c in _TENS:
            section += (digit or 1) * _TENS[c]
            digit = 0
        else:
            total = (total + section + digit or 1) * _GREAT[c]
            section = digit = 0
    last = text[-2:-1]
    if digit and last in ("百", "千", "万"):  # 三万五 is 35,000
        return total + section + digit * (_TENS.get(last) or _GREAT[last]) // 10
    return total + section + digit
