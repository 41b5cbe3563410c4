"""What the benchmarks of one area share: parts that each give figures in the house's form, and their tables.

A part is a module with `rows()` and a docstring that says how its figures were measured.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
CACHE = ROOT / ".cache" / "bench"  # what is fetched and made once
Row = dict[str, Any]


def commit() -> str:
    """The commit that is measured, with a mark if the tree is not as it was committed."""
    done = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, cwd=ROOT)
    return done.stdout.strip()


def row(
    figure: str, value: float | None, unit: str, n: int, *, low: float | None = None, high: float | None = None,
    target: str = "", met: bool | None = None, peer: Row | None = None, command: str,
) -> Row:  # fmt: skip
    """One figure."""
    return {
        "figure": figure, "value": value, "low": low, "high": high, "unit": unit, "n": n, "target": target, "met": met,
        "peer": peer, "command": command, "commit": commit(),
    }  # fmt: skip


def table(rows: Sequence[Row]) -> str:
    lines = ["| figure | value | interval | n | target | met | peer |", "|--|--|--|--|--|--|--|"]
    for r in rows:
        value = "–" if r["value"] is None else f"{_short(r['value'])} {r['unit']}"
        span = "–" if r["low"] is None else f"{_short(r['low'])} – {_short(r['high'])}"
        met = {True: "yes", False: "**no**", None: ""}[r["met"]]
        peer = ", ".join(f"{name} {_short(said)}" for name, said in (r["peer"] or {}).items())
        lines.append(f"| {r['figure']} | {value} | {span} | {r['n']} | {r['target']} | {met} | {peer} |")
    return "\n".join(lines)


def _short(value: Any) -> str:
    if not isinstance(value, float):
        return f"{value:,}" if isinstance(value, int) else str(value)
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def main(area: str, title: str, parts: Sequence[str]) -> None:
    """Measure the parts asked for, and write results/AREA-PART.json for each and AREA.md for all."""
    parser = argparse.ArgumentParser(description=f"Measure: {title.lower()}.")
    parser.add_argument("--only", action="append", choices=parts, help="this part; may be given several times")
    for name in parser.parse_args().only or parts:
        rows = importlib.import_module(f"benchmarks.{area}.{name}").rows()
        print(table(rows), flush=True)
        (RESULTS / f"{area}-{name}.json").write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", "utf-8")
    lines = [
        f"# {title}",
        "",
        f"`make bench-{area}` on {os.cpu_count()} cores, Python {platform.python_version()}.",
        "",
    ]
    for name in parts:
        file = RESULTS / f"{area}-{name}.json"
        if file.is_file():
            about = (importlib.import_module(f"benchmarks.{area}.{name}").__doc__ or "").strip().replace("\n", " ")
            lines += [f"## {name}", "", about, "", table(json.loads(file.read_text("utf-8"))), ""]
    (RESULTS / f"{area}.md").write_text("\n".join(lines), "utf-8")
