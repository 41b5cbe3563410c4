"""`make bench-guard`: writes benchmarks/results/guard-PART.json for each part, and guard.md with the tables of all.

A part is a module here with `rows()`, which returns figures in the house's form, and a docstring that says how they
were measured.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parents[1] / "results"
PARTS = (
    "personal",
    "attacks",
    "moderation",
    "speed",
)


def table(rows: list[dict[str, Any]]) -> str:
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


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the guard.")
    parser.add_argument("--only", action="append", choices=PARTS, help="this part; may be given several times")
    for name in parser.parse_args().only or PARTS:
        rows = importlib.import_module(f"benchmarks.guard.{name}").rows()
        print(table(rows), flush=True)
        (RESULTS / f"guard-{name}.json").write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", "utf-8")
    parts = ["# Guard", "", f"`make bench-guard` on {os.cpu_count()} cores, Python {platform.python_version()}.", ""]
    for name in PARTS:
        file = RESULTS / f"guard-{name}.json"
        if file.is_file():
            about = (importlib.import_module(f"benchmarks.guard.{name}").__doc__ or "").strip().replace("\n", " ")
            parts += [f"## {name}", "", about, "", table(json.loads(file.read_text("utf-8"))), ""]
    (RESULTS / "guard.md").write_text("\n".join(parts), "utf-8")


if __name__ == "__main__":
    main()
