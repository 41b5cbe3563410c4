"""The release report: a passport as one HTML file that needs nothing else, in English and Chinese.

`promise_rows` is the part that the console shares: figures written for people, and where they stand on an axis.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from luodi.pipeline.intervals import wilson
from luodi.project import PROMISES

Language = Literal["en", "zh"]
SCRIPT = (
    "document.querySelectorAll('[data-to]').forEach(b=>b.addEventListener('click',"
    "()=>{document.documentElement.lang=b.dataset.to}))"
)
SCRIPT_HASH = "sha256-" + base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()


class Words(NamedTuple):
    """A text in both languages; in HTML both stand there and the document's `lang` shows one."""

    en: str
    zh: str

    def __html__(self) -> str:
        if self.en == self.zh:
            return str(escape(self.en))
        return str(Markup('<span class="en" lang="en">{}</span><span class="zh" lang="zh">{}</span>').format(*self))

    def of(self, language: Language) -> str:
        """The text in one language."""
        return self.zh if language == "zh" else self.en


with files("luodi.release").joinpath("words.csv").open(encoding="utf-8") as _file:
    _WORDS = {row["key"]: Words(row["en"], row["zh"]) for row in csv.DictReader(_file)}
MINUS, THIN = "\u2212", "\u202f"


def words(name: str) -> Words:
    """A name of the passport for people; an unknown one loses its underscores."""
    return _WORDS.get(name) or Words(*[name.replace("_", " ")] * 2)


@dataclass(frozen=True, slots=True)
class Plot:
    """Places on an axis from 0 (left) to 1 (right). `bounds` hold the place and which side is good (+1: right)."""

    value: float
    low: float | None
    high: float | None
    base: float | None
    bounds: tuple[tuple[float, int], ...]
    ticks: tuple[tuple[float, str], ...]


@dataclass(frozen=True, slots=True)
class Row:
    """A measurement as it is shown. Texts are whole, with units; "" where the passport has nothing."""

    name: str
    label: Words
    value: Words
    interval: str
    n: str
    base: str
    difference: Words
    difference_interval: str
    live: str
    bound: Words
    verdict: str
    required: bool
    why: Words
    note: str
    plot: Plot
    both: Words
    waiver: Words
    judge: Words


def promise_rows(passport: dict[str, Any]) -> dict[str, list[Row]]:
    """The measurements of every promise, in the passport's order."""
    promises = passport.get("promises", {})
    return {p: [_row(m) for m in promises.get(p, [])] for p in PROMISES}


def promise_verdict(rows: Sequence[Row]) -> str:
    """The worst verdict of the required gates among `rows`, those that are waived left out; "" if there is none."""
    found = {r.verdict for r in rows if r.required and not r.waiver.en}
    return next((v for v in ("block", "need more", "pass") if v in found), "")


def number(value: float, unit: str, *, sign: bool = False) -> str:
    """A figure with as many digits as its unit calls for; a share in percent, without the sign %.

    A share that is not 0 or 1 is never rounded to it, and small amounts are written out, not as powers of ten.
    """
    if unit == "share":
        digits = 0 if value in (0, 1, -1) else 1
        while 0 < digits < 4 and (abs(f := round(value * 100, digits)) == 100 or f == 0):
            digits += 1
        text = f"{value * 100:,.{digits}f}"
    elif value == 0 or (value.is_integer() and abs(value) >= 1):
        text = f"{value:,.0f}"
    elif unit in ("ms", "MB") or abs(value) >= 100:
        text = f"{value:,.{0 if abs(value) >= 100 and unit != 'MB' else 1}f}"
    elif abs(value) >= 0.1:
        text = f"{value:.3f}"
    else:
        text = f"{value:.{min(12, 2 - math.floor(math.log10(abs(value))))}f}".rstrip("0")
    text = text.replace("-", MINUS)
    return f"+{text}" if sign and value > 0 else text


def _with_unit(text: str, unit: str) -> Words:
    if unit == "F1" or not text:
        return Words(text, text)
    name = words("%" if unit == "share" else unit)
    space = THIN if len(name.en) <= 3 else " "  # a long unit may stand on the next line
    return Words(f"{text}{space}{name.en}", f"{text}{space}{name.zh}")


def _points(text: str, unit: str) -> Words:
    """A difference; that of two shares is in percentage points."""
    return Words(f"{text}{THIN}pp", f"{text}{THIN}个百分点") if text and unit == "share" else Words(text, text)


def _between(low: float | None, high: float | None, unit: str, sign: bool = False) -> str:
    if low is None or high is None:
        return ""
    return f"[{number(low, unit, sign=sign)}, {number(high, unit, sign=sign)}]"


def _limits(m: dict[str, Any]) -> list[tuple[float, int]]:
    """What a gate's text says: the bound and its good side. A margin lies that far on the bad side of live."""
    gate = m.get("gate") or {}
    text = gate.get("bound", "")
    found = [(float(v), 1 if sign == "≥" else -1) for sign, v in re.findall(r"([≥≤]) ([-+.\de]+)", text)]
    margin, live = re.search(r"by ([-+.\de]+)", text), gate.get("live")
    live = m.get("live") if live is None else live
    if margin and live is not None:
        side = 1 if m["better"] == "higher" else -1
        found.append((live - side * float(margin[1]), side))
    return found


def bound_words(text: str, unit: str) -> Words:
    """A gate's bound in the unit of its measurement."""

    def figure(match: re.Match[str]) -> str:
        return f"{float(match[0]) * 100:.6g}{THIN}%" if unit == "share" else match[0]

    plain = re.sub(r"(?<= )[-+]?\d[-+.\de]*", figure, text)
    return Words(plain, re.sub(r"not worse than live by (.+)", r"比线上版本最多差 \1", plain))


def _row(m: dict[str, Any]) -> Row:
    unit, gate = m["unit"], m.get("gate") or {}
    percent = f"{THIN}%" if unit == "share" else ""

    def shown(key: str, sign: bool = False) -> str:
        return "" if m.get(key) is None else number(float(m[key]), unit, sign=sign)

    return Row(
        name=m["name"],
        label=words(m["name"]),
        value=_with_unit(shown("value"), unit),
        interval=_between(m.get("low"), m.get("high"), unit),
        n=f"{m['n']:,}",
        base=shown("base") and shown("base") + percent,
        difference=_points(shown("difference", sign=True), unit),
        difference_interval=_between(m.get("difference_low"), m.get("difference_high"), unit, sign=True),
        live=shown("live") and shown("live") + percent,
        bound=bound_words(gate.get("bound", ""), unit),
        verdict=gate.get("verdict", ""),
        required=bool(gate.get("required", False)),
        why=_why(m, gate),
        note=m.get("note", ""),
        plot=_plot(m),
        both=_both(m, gate),
        waiver=waiver_words(gate),
        judge=_judge(m.get("judge") or {}),
    )


def _both(m: dict[str, Any], gate: dict[str, Any]) -> Words:
    """Whether the value meets the gate, and whether it does so with confidence."""
    if m.get("low") is None or "confident" not in gate:
        return Words("", "")
    met, sure = gate["meets_value"], gate["confident"]
    return Words(
        f"value {'met' if met else 'not met'}, with confidence {'met' if sure else 'not met'}",
        f"数值{'达标' if met else '未达标'}，按置信区间{'达标' if sure else '未达标'}",
    )


def waiver_words(gate: dict[str, Any]) -> Words:
    """Who waives a gate, why and until when; empty where nobody does."""
    if not (w := gate.get("waiver")):
        return Words("", "")
    return Words(
        f"Waived by {w['person']} ({w['role']}) until {w['expires']}: {w['reason']}",
        f"由 {w['person']}（{w['role']}）豁免至 {w['expires']}：{w['reason']}",
    )


def _judge(judge: dict[str, Any]) -> Words:
    """The instrument that judged the answers, and how it does against human labels."""
    en, zh = [], []
    for language, found in sorted(judge.get("languages", {}).items()):
        if found.get("recall") is None:
            en.append(f"{language}: no labels")
            zh.append(f"{language}：无标注")
            continue
        counts = "/".join(str(found[k]) for k in ("tp", "fn", "fp", "tn"))
        en.append(
            f"{language}: recall {found['recall']:.2f} [{found['recall_low']:.2f}, {found['recall_high']:.2f}],"
            f" false alarms {found['alarm']:.2f}, TP/FN/FP/TN {counts}"
        )
        zh.append(
            f"{language}：召回率 {found['recall']:.2f} [{found['recall_low']:.2f}, {found['recall_high']:.2f}]，"
            f"误报率 {found['alarm']:.2f}，TP/FN/FP/TN {counts}"
        )
    if not en:
        return Words("", "")
    corrected = judge.get("uncorrected")
    more = ("", "") if corrected is None else (f"; counted {corrected:.1%}", f"；原始计数 {corrected:.1%}")
    return Words(
        f"Judge {judge['name']} ({'; '.join(en)}){more[0]}", f"评判器 {judge['name']}（{'；'.join(zh)}）{more[1]}"
    )


def _why(m: dict[str, Any], gate: dict[str, Any]) -> Words:
    """Why a gate does not pass, and about how many items would decide it; or that it passes on the value alone."""
    if gate.get("verdict") not in ("block", "need more"):
        ends = [(m.get("low" if side > 0 else "high"), bound, side) for bound, side in _limits(m)]
        met = all(end is None or side * (end - bound) >= 0 for end, bound, side in ends)
        if met or "live" in gate["bound"] or gate.get("confident"):  # a margin is judged on both releases' intervals
            return Words("", "")
        return Words("This gate judges the value itself, not its interval.", "此门槛只看数值本身，不看区间。")
    if gate.get("how") in ("pairs", "") and gate.get("reason"):
        return Words(f"{gate['reason'][0].upper()}{gate['reason'][1:]}.", f"{gate['reason']}。")
    if gate["verdict"] == "block":
        value, bound = _with_unit(number(m["value"], m["unit"]), m["unit"]), bound_words(gate["bound"], m["unit"])
        return Words(f"{value.en} does not meet {bound.en}.", f"{value.zh} 未达到门槛 {bound.zh}。")
    if m["n"] == 0:
        return Words("Measured on no items.", "没有可测的样本。")
    en = f"The value meets the gate, its interval does not yet: {m['n']:,} items are too few to be sure."
    zh = f"数值已达到门槛，但区间尚未达到：{m['n']:,} 个样本不足以下结论。"
    if not gate.get("meets_value", False):
        en, zh = f"{m['n']:,} items are too few to tell it from live.", f"{m['n']:,} 个样本不足以与线上版本区分。"
    needed = gate.get("needed") or _needed(m)
    if needed:
        en, zh = f"{en} About {needed:,} would do at this value.", f"{zh}按此数值约需 {needed:,} 个。"
    return Words(en, zh)


def _needed(m: dict[str, Any]) -> int:
    """Items at which the interval would just reach the bound, its width shrinking as 1/√n; 0 if none would do."""
    needed = 0
    for bound, side in _limits(m):
        end = m.get("low") if side > 0 else m.get("high")
        room = side * (m["value"] - bound)
        if end is not None and room > 0 and side * (end - bound) < 0:
            needed = max(needed, math.ceil(m["n"] * ((m["value"] - end) / room) ** 2))
    return needed


def _nice(top: float) -> float:
    power = 10.0 ** math.floor(math.log10(top))
    return next(step * power for step in (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if step * power >= top * 0.999999)


def _plot(m: dict[str, Any]) -> Plot:
    """Shares and F1 lie on 0 to 1; other units on an axis of their own, from 0 if nothing is below it."""
    unit, limits = m["unit"], _limits(m)
    known = [float(m[k]) for k in ("value", "low", "high", "base") if m.get(k) is not None] + [b for b, _ in limits]
    if unit in ("share", "F1"):
        start, end = 0.0, 1.0
    else:
        end = _nice(max(known)) if max(known) > 0 else 1.0
        start = -_nice(-min(known)) if min(known) < 0 else 0.0

    def place(value: float | None) -> float | None:
        return None if value is None else round(min(1.0, max(0.0, (value - start) / (end - start))), 4)

    ticks = []
    for f in (0.0, 0.5, 1.0):
        at = start + f * (end - start)
        text = f"{at * 100:g}{'%' if f == 1 else ''}" if unit == "share" else _short(at)
        ticks.append((f, text.replace("-", MINUS)))
    return Plot(
        place(m["value"]) or 0.0,
        place(m.get("low")),
        place(m.get("high")),
        place(m.get("base")),
        tuple((place(b) or 0.0, side) for b, side in limits),
        tuple(ticks),
    )


def _short(value: float) -> str:
    if value == 0 or abs(value) >= 0.001:
        return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:.{2 - math.floor(math.log10(abs(value)))}f}".rstrip("0")


def loss_curve(losses: Sequence[float], width: int = 720, height: int = 200) -> dict[str, Any] | None:
    """The points of two SVG lines, every step and a mean over a window, and the axes' labels; None without losses."""
    steps = [(i + 1, float(v)) for i, v in enumerate(losses) if math.isfinite(v)]
    if not steps:
        return None
    window = max(1, len(steps) // 25)
    values = [v for _, v in steps]
    sums = [0.0]
    for v in values:
        sums.append(sums[-1] + v)
    smooth = [(sums[i + 1] - sums[max(0, i + 1 - window)]) / min(i + 1, window) for i in range(len(values))]
    low, high = min(values), max(values)
    power = 10.0 ** math.floor(math.log10((high - low) / 4 or abs(high) or 1.0))
    gap = next(s * power for s in (1, 2, 5, 10) if s * power * 5 >= (high - low))
    low, high = math.floor(low / gap) * gap, math.ceil(high / gap) * gap
    high = high if high > low else low + gap
    last = steps[-1][0]

    def x(step: float) -> float:
        return round(44 + (width - 56) * (step - 1) / max(last - 1, 1), 1)

    def y(value: float) -> float:
        return round(10 + (height - 38) * (high - value) / (high - low), 1)

    every = max(1, len(steps) // 600)
    marks = range(round((high - low) / gap) + 1)
    return {
        "width": width,
        "height": height,
        "window": window,
        "raw": " ".join(f"{x(s)},{y(v)}" for s, v in steps[::every]),
        "smooth": " ".join(f"{x(s)},{y(v)}" for (s, _), v in list(zip(steps, smooth, strict=True))[::every]),
        "y": [(y(low + i * gap), f"{low + i * gap:.4g}") for i in marks],
        "x": [(x(s), f"{s:,.0f}") for s in sorted({1, round(last / 2) or 1, last})],
        "first": number(smooth[min(window, len(smooth)) - 1], ""),
        "last": number(smooth[-1], ""),
    }


def _safety(safety: dict[str, Any]) -> list[dict[str, Any]]:
    parts = []
    for kind in ("attacks", "harmless"):
        found = safety.get(kind, {})
        sources = []
        for name, (k, n) in found.get("sources", {}).items():
            share = k / n if n else 0.0
            plot = Plot(share, *wilson(k, n), None, (), ((0.0, "0"), (0.5, "50"), (1.0, "100%")))
            shown, between = f"{number(share, 'share')}{THIN}%", _between(*wilson(k, n), "share")
            sources.append({"name": name, "k": k, "n": n, "share": shown, "interval": between, "plot": plot})
        if sources or found.get("wrong"):
            parts.append({"kind": kind, "sources": sources, "wrong": found.get("wrong", [])})
    return parts


def _scores(scores: dict[str, float]) -> list[tuple[Words, Words]]:
    """F1 as a number; the others are yes or no."""
    yes, no = Words("yes", "是"), Words("no", "否")
    return [
        (words(k), Words(*[number(float(v), "F1")] * 2) if k == "f1" else yes if v > 0.5 else no)
        for k, v in scores.items()
    ]


def _base_name(passport: dict[str, Any]) -> str:
    base = passport.get("project", {}).get("base", "")
    return str(base.get("source", "")) if isinstance(base, dict) else str(base)


def render_report(passport: dict[str, Any], language: Language = "en") -> str:
    """The report as HTML; `language` is the one shown first. Its only script is `SCRIPT`."""
    rows = promise_rows(passport)
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(
        p={key: passport.get(key, "") for key in ("name", "version", "verdict", "created", "luodi", "compared_with")},
        language=language,
        script=Markup(SCRIPT),  # noqa: S704  our own constant, and its hash is in the console's policy
        words=words,
        number=number,
        bound_words=bound_words,
        waiver_words=waiver_words,
        base=_base_name(passport),
        rows=rows,
        verdicts={name: promise_verdict(found) for name, found in rows.items()},
        missing=passport.get("gates_without_measurement", []),
        thresholds=passport.get("thresholds", {}),
        curve=loss_curve(passport.get("losses", [])),
        examples=[
            e | {"model_scores": _scores(e.get("model_scores", {})), "base_scores": _scores(e.get("base_scores", {}))}
            for e in passport.get("examples", [])
        ],
        safety=_safety(passport.get("safety", {})),
        cards=passport.get("cards", {}),
        stages=passport.get("stages", []),
        folded={
            key: json.dumps(passport[key], indent=2, ensure_ascii=False)
            for key in ("policy", "project")
            if passport.get(key)
        },
    )


def write_report(passport: dict[str, Any], path: Path) -> None:
    """Write the report of a passport to `path`, as one file that asks for nothing else."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # A model may say NUL, which HTML has no place for.
    path.write_text(render_report(passport).replace("\0", "\N{REPLACEMENT CHARACTER}"), "utf-8")
