"""What an expression may ask for: the variables, the functions, and the amounts in a text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from luodi.guard.check import Text

READ = 20_000  # characters of a text that rules read
_MOST = 100  # amounts of a text
_UNITS = {"k": 1e3, "thousand": 1e3, "m": 1e6, "million": 1e6, "千": 1e3, "万": 1e4, "百万": 1e6, "亿": 1e8}
_NUMBER = r"(\d{1,3}(?:,\d{3}){1,4}(?:\.\d{1,4})?|\d{1,15}(?:\.\d{1,4})?)"
_UNIT = r"(百万|[千万亿]|(?:k|m|thousand|million)(?![a-z]))?"
_AMOUNT = re.compile(
    rf"(?:(?:[$€£¥￥]|(?<![a-z])(?:usd|eur|gbp|cny|rmb|人民币)) ?{_NUMBER} ?{_UNIT})"
    rf"|(?:{_NUMBER} ?{_UNIT} ?(?:元|块|圆|人民币|美元|欧元|yuan|dollars?|euros?|pounds?|usd|eur|gbp|cny|rmb|[$€£]))",
    re.IGNORECASE,
)
_DIGITS = {sign: value for value, sign in enumerate("零一二三四五六七八九")} | {"两": 2, "〇": 0}
_TENS = {"十": 10, "百": 100, "千": 1000}
_SPOKEN = re.compile(r"([零〇一二两三四五六七八九十百千万亿]{1,20})(?=元|块|圆|人民币|美元)")

# name -> (type as the expression language knows it, value where none is given, what it is)
VARIABLES: dict[str, tuple[str, Any, str]] = {
    "text": ("string", "", "what is judged, the first 20,000 characters"),
    "language": ("string", "en", "en or zh"),
    "amounts": ("list(double)", [], "amounts of money in the text, each in its own currency"),
    "at": ("string", "input", "input or output"),
    "caller": ("map", {}, "id, owner, team, roles of who calls"),
    "team": ("string", "", "the caller's team"),
    "roles": ("list(string)", [], "the caller's roles"),
    "model": ("string", "", "the name that was asked for"),
    "task": ("string", "", "answer, chat, tool, …"),
    "hour": ("int", 0, "of the day, 0 to 23"),
    "minute": ("int", 0, "of the hour"),
    "weekday": ("int", 1, "1 Monday to 7 Sunday"),
    "date": ("string", "", "YYYY-MM-DD"),
    "confirmed": ("bool", False, "whether the user has confirmed"),
    "tool": ("string", "", "the tool that is called"),
    "arguments": ("map", {}, "what the tool is called with"),
    "turns": ("list(string)", [], "what the user said before"),
}


def amounts(text: str) -> list[float]:
    """Amounts of money: digits beside a currency, and Chinese numerals before one."""
    found: list[float] = []
    for match in _AMOUNT.finditer(text):
        number, unit = (match[1], match[2]) if match[1] else (match[3], match[4])
        found.append(float(number.replace(",", "")) * _UNITS.get((unit or "").lower(), 1.0))
        if len(found) >= _MOST:
            return found
    for match in _SPOKEN.finditer(text):
        if match.start() and text[match.start() - 1] in "0123456789.":
            continue  # the unit of a number in digits
        found.append(float(_spoken(match[1])))
        if len(found) >= _MOST:
            break
    return found


def _spoken(numerals: str) -> int:
    total = section = digit = 0
    for sign in numerals:
        if sign in _DIGITS:
            digit = _DIGITS[sign]
        elif sign in _TENS:
            section += (digit or 1) * _TENS[sign]
            digit = 0
        else:
            total = (total + section + digit) * (10_000 if sign == "万" else 100_000_000)
            section = digit = 0
    return total + section + digit


def of_text(text: Text, zone: ZoneInfo) -> dict[str, Any]:
    """The variables of a text at a door, now."""
    about, raw = text.about, _whole(text.raw[:READ])
    return from_values(
        raw, zone, language=about.language, at=text.door, caller=dict(about.caller), model=about.model,
        task=about.task, confirmed=about.confirmed, tool=about.tool, arguments=dict(about.arguments),
        turns=[_whole(turn[:READ]) for turn in about.turns[-20:]],
    )  # fmt: skip


def from_values(text: str, zone: ZoneInfo, **given: Any) -> dict[str, Any]:
    """The variables of a text, with some of them as given."""
    now = datetime.now(zone)
    values = {name: default for name, (_, default, _) in VARIABLES.items()}
    values |= {
        "text": text, "amounts": amounts(text), "hour": now.hour, "minute": now.minute, "weekday": now.isoweekday(),
        "date": now.date().isoformat(),
    }  # fmt: skip
    values |= given
    caller: Mapping[str, Any] = values["caller"]
    if "team" not in given:
        values["team"] = str(caller.get("team", ""))
    if "roles" not in given:
        values["roles"] = [str(role) for role in caller.get("roles", [])]
    return values


def _whole(text: str) -> str:
    """Without halves of surrogate pairs, which the runtime does not take."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


@lru_cache(maxsize=64)  # many rules ask of the same text
def _normal(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def contains_any(text: str, words: Any) -> bool:
    """Whether one of the words stands in the text; width and case do not count."""
    normal = _normal(text)
    return any(_normal(str(word)) in normal for word in words)


FUNCTIONS: dict[str, tuple[Callable[..., Any], str, tuple[str, ...]]] = {
    "contains_any": (contains_any, "bool", ("string", "list(string)")),
    "lower": (_normal, "string", ("string",)),
}
