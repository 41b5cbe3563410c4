"""`make bench-cache`: how often a semantic hit is wrong, and how often a right one is missed.

Two sets of pairs. `pairs.csv`: written for this benchmark, in English and Chinese, questions that differ in one thing
only (a number, a name, a "not", …) and paraphrases. Headings: questions out of the documents of the demo, each against
its nearest neighbours; two different headings have different answers, unless they are the same but for spelling.

The peer is the same embedder with a threshold and nothing else, as semantic caches without a guard work.
"""

from __future__ import annotations

import csv
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from luodi.engine.embed import open_embedder
from luodi.evaluate.statistics import Estimate, share
from luodi.gateway.cache import differs, facts
from luodi.pipeline import read_rows

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results"
THRESHOLD = 0.93  # the default of serve.cache.similarity
COMMAND = "make bench-cache"


def main() -> int:
    with (Path(__file__).parent / "pairs.csv").open(encoding="utf-8", newline="") as file:
        pairs = list(csv.DictReader(file))
    embedder = open_embedder()
    vectors = [embedder.encode([p["first"], p["second"]]) for p in pairs]
    cosines = [float(a @ b) for a, b in vectors]
    guarded = [not differs(facts(p["first"]), facts(p["second"])) for p in pairs]
    figures: list[dict[str, Any]] = []

    def add(name: str, e: Estimate, target: float | None, peer: float | None, better: str = "lower") -> None:
        met = None if target is None else (e.value <= target if better == "lower" else e.value >= target)
        figures.append({
            "figure": name, "value": round(e.value, 4), "low": round(e.low, 4), "high": round(e.high, 4),
            "unit": "share", "n": e.n, "target": target, "met": met,
            "peer": None if peer is None else {"embedder alone": round(peer, 4)}, "command": COMMAND,
            "commit": _commit(),
        })  # fmt: skip

    for language in ("en", "zh"):
        mine = [n for n, p in enumerate(pairs) if p["language"] == language]
        wrong = [n for n in mine if pairs[n]["same"] == "0"]
        right = [n for n in mine if pairs[n]["same"] == "1"]
        near = [cosines[n] >= THRESHOLD for n in wrong]
        add(f"false hits on minimal pairs, {language}", share([guarded[n] and cosines[n] >= THRESHOLD for n in wrong]),
            0.0, sum(near) / len(near))  # fmt: skip
        add(f"false hits on minimal pairs whatever the embedder says, {language}", share([guarded[n] for n in wrong]),
            0.0, None)  # fmt: skip
        found = share([guarded[n] and cosines[n] >= THRESHOLD for n in right])
        add(f"paraphrases hit, {language}", found, None, sum(cosines[n] >= THRESHOLD for n in right) / len(right),
            "higher")  # fmt: skip
    questions = headings()
    if questions:
        hits, alone, compared = real_questions(questions, embedder)
        e = share([n < len(hits) for n in range(compared)])
        add("false hits on neighbouring headings of the demo", e, 0.001, alone / max(1, compared))
        for a, b in hits[:20]:
            print(f"hit: {a!r} and {b!r}", file=sys.stderr)
    began, rounds = time.perf_counter(), []
    for p in pairs:
        began = time.perf_counter()
        differs(facts(p["first"]), facts(p["second"]))
        rounds.append((time.perf_counter() - began) * 1e6)
    figures.append({
        "figure": "comparing two questions", "value": round(statistics.median(rounds), 1), "low": None, "high": None,
        "unit": "µs", "n": len(rounds), "target": None, "met": None, "peer": None, "command": COMMAND,
        "commit": _commit(),
    })  # fmt: skip
    write(figures, embedder.name)
    return 0


def headings() -> list[str]:
    """The questions of the demo's documents, as its training examples ask them; none before `make demo`."""
    found: set[str] = set()
    for file in (ROOT / "demo").glob("*/.luodi/artifacts/*/*/files/rows.parquet"):
        for row in read_rows(file.parent):
            question = row.meta.get("question")
            if isinstance(question, str):
                found.add(question)
    return sorted(found)


def real_questions(questions: list[str], embedder: Any, nearest: int = 5) -> tuple[list[tuple[str, str]], int, int]:
    """(pairs that would hit, how many would hit by the embedder alone, pairs compared)."""
    vectors = embedder.encode(questions)
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -1)
    pairs = {tuple(sorted((a, int(b)))) for a in range(len(questions)) for b in np.argsort(-cosines[a])[:nearest]}
    plain = [" ".join(q.lower().split()) for q in questions]
    pairs = {(a, b) for a, b in pairs if plain[a] != plain[b]}
    near = [(a, b) for a, b in pairs if cosines[a, b] >= THRESHOLD]
    hits = [(questions[a], questions[b]) for a, b in near if not differs(facts(questions[a]), facts(questions[b]))]
    return hits, len(near), len(pairs)


def write(figures: list[dict[str, Any]], embedder: str) -> None:
    (RESULTS / "cache.json").write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", "utf-8")
    lines = [
        "# Semantic cache", "",
        f"Embedder {embedder}, cosine from {THRESHOLD}. Intervals hold with 95 % confidence. The peer is the same "
        "embedder with its threshold and no guard, on the same pairs.", "",
        "| figure | value | interval | n | target | embedder alone |", "|--|--|--|--|--|--|",
    ]  # fmt: skip
    for f in figures:
        span = "" if f["low"] is None else f"{f['low']} – {f['high']}"
        peer = "" if not f["peer"] else f["peer"]["embedder alone"]
        target = "" if f["target"] is None else f"≤ {f['target']}"
        lines.append(f"| {f['figure']} | {f['value']} {f['unit']} | {span} | {f['n']} | {target} | {peer} |")
    (RESULTS / "cache.md").write_text("\n".join(lines) + "\n", "utf-8")
    print("\n".join(lines))


def _commit() -> str:
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=ROOT, check=False
    )
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
