"""Speed of the guard's fast path, in CPU time of one thread: all checks of the input that need no second model.

Texts have about 500 tokens: 2,000 characters of Django's pages, or 750 of reviews. The checks: personal data, templates
of attacks, the attack model, conversation (three turns before), moderation (10,000 words and a model of six categories)
and 20 business rules. A chunk has 1 to 8 characters and passes the checks of the output.
"""

from __future__ import annotations

import random
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.guard import attack_data as data
from benchmarks.guard.personal import cut, row

from luodi.guard import About, AttackModel, Guard, GuardPolicy
from luodi.guard.business import read_rules
from luodi.guard.features import BUCKETS
from luodi.guard.moderation import CategoryModel, Words

INPUT = ("personal", "rules", "injection", "conversation", "moderation")
Row = dict[str, Any]


def rows() -> list[Row]:
    """Every figure of speed."""
    pages, reviews = data.documents("en", train=False), data.documents("zh", train=False)
    texts = {"en": joined([s.text for s in pages], 2000), "zh": joined([s.text for s in reviews], 750)}
    about = About(turns=("Where is my order?", "It was sent on Monday.", "Can I change the address?"))
    out = []
    for language, group in texts.items():
        out.append(timed(f"whole fast path on 500 tokens, {language}", guard(INPUT), about, group, 2.0))
        ruled = guard((*INPUT, "business"))
        out.append(timed(f"… with 20 business rules, {language}", ruled, about, group, None))
        out += [timed(f"… {check} alone, {language}", guard((check,)), about, group, None) for check in INPUT]
        out.append(chunks(language, group))
    short = ["How do I reset my password?"] * 300
    out.append(timed("whole fast path on a question of 27 characters", guard(INPUT), About(), short, None))
    return out


def guard(checks: tuple[str, ...]) -> Guard:
    rng = np.random.default_rng(0)
    weights = rng.normal(0, 0.01, BUCKETS).astype(np.float32)
    model = AttackModel(weights, -5.0, 0.5, 1.0, 0.0, 0.5, "1:speed", 0.5)
    names = ("S1", "S2", "S5", "S7", "S10", "S13")
    zeros = np.zeros(len(names), np.float32)
    wide = rng.normal(0, 0.01, (BUCKETS, len(names))).astype(np.float32)
    pick = random.Random(0)
    signs = [chr(pick.randrange(0x4E00, 0x9FA5)) for _ in range(3000)]
    library = sorted({"".join(pick.choices(signs, k=pick.randint(2, 5))) for _ in range(10_200)})[:10_000]
    return Guard(
        GuardPolicy(input=checks, untrusted=(), output=("moderation", "personal", "leak")), model,
        system_prompt="You answer questions of customers from the documents only, and cite the passage each time.",
        words=Words([(word, "A.1.8") for word in library]), rules=rules(),
        categories=CategoryModel(names, wide, zeros - 9, zeros, "1:speed"),
    )  # fmt: skip


def rules() -> Any:
    condition = 'contains_any(text, ["word{0}", "词{0}"]) && amounts.exists(a, a > {0}.0)'
    form = "  - {{id: r{0}, if: '" + condition + "', then: block}}"
    lines = ["rules:", *(form.format(n) for n in range(20))]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rules.yaml"
        path.write_text("\n".join(lines), "utf-8")
        return read_rules(path)


def joined(parts: list[str], size: int) -> list[str]:
    rng, out = random.Random(1), []
    for _ in range(300):
        text = ""
        while len(text) < size:
            text += rng.choice(parts) + "\n"
        out.append(text[:size])
    return out


def timed(figure: str, checked: Guard, about: About, texts: list[str], target: float | None) -> Row:
    for text in texts[:20]:
        checked.check_input(text, about)
    times = []
    for text in texts:
        began = time.thread_time_ns()
        checked.check_input(text, about)
        times.append((time.thread_time_ns() - began) / 1e6)
    times.sort()
    value = times[len(times) // 2]
    return row(figure, value, times[len(times) // 20], times[len(times) * 19 // 20], "ms", len(times),
               f"p50 ≤ {target:g}" if target else "", None if target is None else value <= target)  # fmt: skip


def chunks(language: str, texts: list[str]) -> Row:
    rng, times = random.Random(1), []
    checked = guard(("personal",))
    for text in texts[:40]:
        watch = checked.watch_output()
        for piece in cut(text, rng, 8):
            began = time.perf_counter_ns()
            watch.feed(piece)
            times.append((time.perf_counter_ns() - began) / 1000)
        watch.finish()
    times.sort()
    value = times[len(times) // 2]
    return row(f"a stream chunk: words, categories, personal data, leak, {language}", value, times[len(times) // 20],
               times[len(times) * 19 // 20], "µs", len(times), "p50 ≤ 20", value <= 20)  # fmt: skip


if __name__ == "__main__":
    for made in rows():
        print(made["figure"], made["value"], [made["low"], made["high"]], made["n"], made["met"])
