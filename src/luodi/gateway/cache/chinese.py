"""Chinese questions: what they ask, and characters without filling."""

from __future__ import annotations

import csv
import re
from functools import cache
from pathlib import Path

from luodi.gateway.cache.numerals import HAN, han_number, unit_of

_LEAD = re.compile(
    r"^[\s，。！、,!]*(?:(?:请问一下|请问|您好|你好|麻烦|劳驾|谢谢)[\s，。！、,!]*)*"
    r"(?:(?:您|你)?(?:能不能|可不可以|能否|可否|能|可以)?(?:请)?(?:告诉|教|教教)(?:我|我们|一下)*"
    r"|(?:我|我们)?(?:想|想要|需要)(?:知道|问一下|问问|问|了解一下|了解))?[\s，：:,]*"
)
_FRAMES = [
    ("how", r"(?:(?:有没有|有什么|有哪些|有何|有|什么|哪些|用什么)(?:好的|办法)?)?"
            r"(?:办法|方法|方式|步骤|做法)(?:可以|能|能够|来|去|是什么|有哪些)*"),
    ("why", r"(?:是)?(?:为什么|为何|为啥|怎么回事|什么原因|怎么会|怎么(?=不|没))"),
    ("how", r"(?:应该|要|该|可以|能)?(?:怎么样|怎么|怎样|如何|咋)(?:才能|才可以|去|来|做到|做)?"),
    ("who", r"(?:是)?(?:谁|哪位|何人|什么人)"),
    ("when", r"(?:在|是)?(?:什么时候|何时|几时|哪天|哪一天|哪年|几点|什么时间)"),
    ("where", r"(?:在|是)?(?:哪里|哪儿|何处|什么地方|在哪)"),
    ("how long", r"(?:多久|多长时间)"), ("how big", r"多大"), ("how high", r"多高"), ("how fast", r"多快"),
    ("how far", r"多远"), ("how many", r"(?:多少|几(?=[个种次条天年月位名台项只张份]))"),
    ("which", r"(?:是)?(?:哪个|哪些|哪种|哪一个|哪一种)"), ("what", r"(?:是)?(?:什么|啥|何谓)(?:是)?"),
]  # fmt: skip
_PATTERNS = [(asks, re.compile(p)) for asks, p in _FRAMES]
_YES_NO = re.compile(
    r"(?P<can>能不能|可不可以|能否|可否|能够|可以|能(?=.*吗))|(?P<should>该不该|应不应该|应该)|"
    r"(?P<must>要不要|需不需要|必须|需要|是否需要)|(?P<will>会不会|会(?=.*吗))|是否|是不是|有没有|行不行|吗"
)
_ASKING = re.compile(r"能不能|可不可以|能否|可否|该不该|应不应该|要不要|需不需要|会不会|是否|是不是|有没有|行不行|吗")
_FILLING = re.compile(
    r"请问|麻烦|帮我|帮忙|我们|咱们|您们|你们|应该|可以|能够|非常|一下|一个|一种|某个|这个|当中|里面|进行|我|你|您|请|的|了|呢|啊|呀|吧|嘛|吗|哦|将|把|去(?=$)"
)
_LEADS = re.compile(r"关于|有关|对于|在|里|中")
_NOT = re.compile(r"没有|不要|不能|不会|不是|没|不|未|别|勿")


def frame(text: str) -> tuple[str, str]:
    """(question word, the rest) of a text."""
    if not re.search("[㐀-鿿]", text):
        return "", text
    text = _LEAD.sub("", text)
    best: tuple[int, int, str, int] | None = None
    for order, (asks, pattern) in enumerate(_PATTERNS):
        match = pattern.search(text)
        if match and match.end() > match.start():
            place = 0 if order == 0 else match.start() + 1  # a way is asked for, whatever else is in it
            if best is None or (place, order) < best[:2]:
                best = (place, order, asks, match.start())
                cut = match
    if best is not None:
        return best[2], re.sub("吗(?=[?？。!\\s]*$)", "", text[: cut.start()] + " " + text[cut.end() :])
    if _ASKING.search(text):
        match = _YES_NO.search(text)
        modal = next((k for k, v in match.groupdict().items() if v), "is") if match else "is"
        text = _ASKING.sub("", text)
        if match and match.lastgroup:
            text = text.replace(match[0], "", 1)
        return f"yes-no {modal}", text
    return "", text


def split(run: str, *, behind_number: bool = False) -> list[tuple[str, str]]:
    """Tokens of a run of Chinese characters: numbers with their unit, negations, words as single characters.

    "lead" stands for a preposition, "unit" for that of a number which stands before the run. Synonyms are put as the
    first of theirs.
    """
    pattern, first = _synonyms()
    run = _FILLING.sub("", pattern.sub(lambda m: first[m[0]], run))
    out: list[tuple[str, str]] = []
    i = 0
    if behind_number and (unit := _unit(run, 0)):
        out.append(("unit", run[:unit]))
        i = unit
    while i < len(run):
        taken = _numeral(run, i, out)
        lead, no = _LEADS.match(run, i), _NOT.match(run, i)
        if taken:
            i += taken
        elif no:
            out.append(("not", "!"))
            out += [("char", c) for c in no[0] if c not in "没不未别勿有"]
            i = no.end()
        elif lead:
            out.append(("lead", ""))
            i = lead.end()
        else:
            out.append(("char", run[i]))
            i += 1
    return out


def _unit(run: str, at: int) -> int:
    """How many characters at `at` are a unit."""
    return next((n for n in (3, 2, 1) if len(run) >= at + n and unit_of(run[at : at + n])), 0)


def _numeral(run: str, i: int, out: list[tuple[str, str]]) -> int:
    """How many characters at `i` are a number with its unit; it is added to `out`."""
    percent = 3 if run.startswith("百分之", i) else 0
    end = i + percent
    while end < len(run) and run[end] in HAN:
        end += 1
    text = run[i + percent : end]
    value = han_number(text)
    if value is None:
        return 0
    if percent:
        out.append(("number", f"{value} percent"))
        return end - i
    unit = _unit(run, end)
    if not unit and len(text) == 1 and not (i and run[i - 1] == "第"):
        return 0  # 统一, 万一, 三方: part of a word
    name = unit_of(run[end : end + unit]) if unit else ""
    out.append(("number", f"{value} {name}".strip()))
    return end - i + unit


@cache
def _synonyms() -> tuple[re.Pattern[str], dict[str, str]]:
    first: dict[str, str] = {}
    with (Path(__file__).parent / "words.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["language"] == "zh" and row["kind"] == "same":
                words = row["words"].split()
                first |= dict.fromkeys(words, words[0])
    # The longest first; "买" inside "买卖" is no word of its own.
    words = sorted(first, key=len, reverse=True)
    return re.compile("|".join(re.escape(w) + ("(?!卖)" if w == "买" else "") for w in words)), first
