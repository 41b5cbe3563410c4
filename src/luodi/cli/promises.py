"""The table of the five promises."""

from __future__ import annotations

from typing import Any

from luodi.cli.show import Show
from luodi.project import PROMISES


def number(value: float, unit: str) -> str:
    """A value as people read it: shares in percent, money with its digits, the rest with three figures."""
    if unit == "share":
        return f"{value * 100:.1f} %"
    if unit == "USD":
        return f"{value:.4f} USD"
    if unit in ("ms", "MB", "tokens/s", "examples", "documents", "gold items"):
        return f"{value:,.0f} {unit}"
    return f"{value:.3g} {unit}" if unit not in ("F1", "nats a token") else f"{value:.2f}"


def interval(m: dict[str, Any]) -> str:
    if m.get("low") is None or m.get("high") is None:
        return f"(n {m['n']:,})" if m["n"] > 1 else ""
    scale = 100 if m["unit"] == "share" else 1
    digits = 1 if m["unit"] == "share" else 0 if m["unit"] == "ms" else 2
    return f"[{m['low'] * scale:.{digits}f}, {m['high'] * scale:.{digits}f}] (n {m['n']:,})"


def against(m: dict[str, Any]) -> str:
    """The difference to the untuned base, pair by pair, or to the live release."""
    if m.get("difference") is not None:
        scale, digits = (100, 1) if m["unit"] == "share" else (1, 2)
        d, low, high = (m[k] * scale for k in ("difference", "difference_low", "difference_high"))
        return f"base {number(m['base'], m['unit'])}: {d:+.{digits}f} [{low:+.{digits}f}, {high:+.{digits}f}]"
    if m.get("live") is not None:
        return f"live {number(m['live'], m['unit'])}"
    if m.get("base") is not None:
        return f"base {number(m['base'], m['unit'])}"
    return ""


def _title(name: str, show: Show) -> str:
    """A measurement's name: in English as gates.yaml writes it, in Chinese translated."""
    if show.language != "zh":
        return name.replace("_", " ")
    from luodi.release.report import words

    return words(name).zh


def both(gate: dict[str, Any] | None, m: dict[str, Any], show: Show) -> str:
    """Whether the value meets the gate, and whether it does so with confidence; "" where nothing can be said."""
    if not gate or m.get("low") is None or "confident" not in gate:
        return ""
    return " / ".join(show.say("yes" if gate[key] else "no") for key in ("meets_value", "confident"))


def show_promises(passport: dict[str, Any], show: Show) -> None:
    rows, data = [], []
    for promise in PROMISES:
        name = show.say(promise)
        for m in passport["promises"][promise]:
            gate = m.get("gate")
            verdict = show.say(gate["verdict"]) if gate else "–"
            if gate and gate.get("waiver"):
                verdict = show.say("waived", verdict=verdict, **gate["waiver"])
            value = f"{number(m['value'], m['unit'])} {interval(m)}".strip()
            rows.append(
                [
                    name,
                    _title(m["name"], show),
                    value,
                    against(m),
                    gate["bound"] if gate else "",
                    both(gate, m, show),
                    verdict,
                ]
            )
            data.append({"event": "measurement", "verdict": gate["verdict"] if gate else None} | m)
            name = ""
    for g in passport["gates_without_measurement"]:
        verdict = show.say(g["verdict"])
        if g.get("waiver"):
            verdict = show.say("waived", verdict=verdict, **g["waiver"])
        rows.append([name, _title(g["measure"], show), "–", g["reason"], g["bound"], "", verdict])
        data.append({"event": "gate"} | g)
    title = f"{passport['name']}@{passport['version']}"
    columns = [show.say(k) for k in ("promise", "measurement", "measured")] + [
        "",
        show.say("gate"),
        show.say("value_95"),
        show.say("verdict"),
    ]
    show.table(columns, rows, data, title)
