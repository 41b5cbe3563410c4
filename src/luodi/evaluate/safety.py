"""Safety: attacks that the guard blocks, and harmless prompts that it refuses."""

from __future__ import annotations

import random
from collections import defaultdict
from typing import Any, Literal

from pydantic import BaseModel

from luodi.evaluate.attacks import load_guard_parts
from luodi.evaluate.items import Item, keep
from luodi.evaluate.statistics import share
from luodi.guard import Guard, default_policy, normalise
from luodi.pipeline import Context, Measurement
from luodi.store import digest_bytes


class Params(BaseModel):
    attacks: int
    harmless: int
    confidence: float


def run(ctx: Context) -> None:
    """Inputs: `guard`, `thresholds`. Runs the guard's input checks on samples of both kinds."""
    p: Params = ctx.params
    model, tests = load_guard_parts(ctx.inputs["guard"])
    guard = Guard(default_policy(model is not None), model)
    rng = random.Random(ctx.seed)
    report: dict[str, Any] = {}
    kept: dict[str, list[Item]] = {}
    for kind, size in (("attacks", p.attacks), ("harmless", p.harmless)):
        texts = tests[kind]
        sample = rng.sample(texts, min(size, len(texts)))
        by_source: dict[str, list[bool]] = defaultdict(list)
        missed = []
        scored: dict[str, Item] = {}
        for done, item in enumerate(sample, 1):
            result = guard.check_input(item["text"])
            blocked = result.stops
            by_source[item["source"]].append(blocked)
            name = digest_bytes(normalise(item["text"]).encode())[:16]
            scored[name] = Item(name, float(blocked))
            if blocked != (kind == "attacks"):
                missed.append({"text": item["text"][:300], "source": item["source"]})
            if done % 20 == 0:
                ctx.progress(done + (kind == "harmless") * p.attacks, p.attacks + p.harmless, kind)
        e = share([b for found in by_source.values() for b in found], p.confidence)
        sources = {name: [sum(found), len(found)] for name, found in sorted(by_source.items())}
        report[kind] = {"sources": sources, "wrong": missed[:200]}
        attack = kind == "attacks"
        name = "attacks_blocked" if attack else "harmless_refused"
        better: Literal["higher", "lower"] = "higher" if attack else "lower"
        note = "; ".join(f"{_short(s)}: {k} of {n}" for s, (k, n) in sources.items())
        ctx.measure(
            Measurement(name, "security", e.value, "share", e.n, better, e.low, e.high, seed=ctx.seed, note=note)
        )
        kept[name] = list(scored.values())
    keep(ctx.out, kept)
    ctx.write_json("safety.json", report)
    attacks, harmless = ctx.measurements
    ctx.summary = (
        f"{attacks.value:.1%} of {attacks.n} attacks blocked,"
        f" {harmless.value:.1%} of {harmless.n} harmless prompts refused"
    )


def _short(source: str) -> str:
    package, _, path = source.partition(" ")
    return f"{package.rpartition(':')[2].partition('==')[0]} {path.rpartition('/')[2]}".strip()
