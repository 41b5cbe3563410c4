"""The guard stage: trains the attack detector, and sets aside the attacks and harmless prompts it is measured with."""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from luodi.errors import SourceError
from luodi.guard import AttackModel, normalise
from luodi.knowledge.sentences import sentences
from luodi.pipeline import Context
from luodi.pipeline.sources import read_source
from luodi.project import Source

MODEL = "attack-model"
TESTS = "tests.json"
_TEXT_KEYS = ("text", "prompt", "payload", "jailbreak_query", "user_input", "prompt injection")
_LABEL_KEYS = ("label", "is_injection", "is_attack", "category")
_BENIGN = {"0", "benign", "false", "safe", "none", "harmless"}
_BENIGN_SENTENCES = 6000


class Params(BaseModel):
    train: list[Source]
    test: list[Source]


def examples(path: str, data: bytes, *, default: int) -> Iterator[tuple[str, int]]:
    """(text, 1 for an attack) from CSV, JSON, JSON lines or Parquet; `default` where a file has no labels.

    Raises:
        SourceError: the file has no column of texts.
    """
    if path.endswith(".parquet"):
        import pyarrow.parquet as pq

        records = pq.read_table(io.BytesIO(data)).to_pylist()
    elif path.endswith(".csv"):
        records = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))
    elif path.endswith(".jsonl"):
        records = [json.loads(line) for line in data.decode().splitlines() if line.strip()]
    elif path.endswith(".json"):
        loaded = json.loads(data)
        records = [
            {"text": r} if isinstance(r, str) else r for r in (loaded.values() if isinstance(loaded, dict) else loaded)
        ]
    else:
        records = [{"text": line} for line in data.decode().splitlines() if line.strip()]
    for record in records:
        low = {str(k).strip().lower(): v for k, v in record.items()}
        text = next((low[k] for k in _TEXT_KEYS if k in low), None)
        if text is None:
            raise SourceError(
                f"{path}: no column of texts", f"one of {', '.join(_TEXT_KEYS)} is expected; found {', '.join(low)}"
            )
        label = next((low[k] for k in _LABEL_KEYS if k in low), None)
        if isinstance(text, str) and text.strip():
            yield text, default if label is None else int(str(label).strip().lower() not in _BENIGN)


def run(ctx: Context) -> None:
    """Inputs: `rows` (sections, as benign text). Without training data no detector is made, and that is recorded."""
    params: Params = ctx.params
    both = {(s.source, s.glob) for s in params.train} & {(s.source, s.glob) for s in params.test}
    if both:
        raise SourceError(
            f"guard: {sorted(both)[0][0]} is used for training and for measuring", "what it is trained on says nothing"
        )
    trained: list[tuple[str, int]] = []
    for source in params.train:
        for path, data in read_source(source, project=ctx.project, downloads=ctx.downloads):
            trained += examples(path, data, default=1)
        ctx.progress(1, 4, source.source)
    tests = _tests(ctx, {normalise(text) for text, _ in trained})
    benign, held = _benign(ctx)
    tests["harmless"] = [{"text": t, "source": "knowledge"} for t in held] + tests["harmless"]
    if trained:
        ctx.progress(2, 4, "training the detector")
        texts = [t for t, _ in trained] + benign
        labels = [y for _, y in trained] + [0] * len(benign)
        model = AttackModel.train(texts, labels, seed=ctx.seed)
        (ctx.out / MODEL).mkdir()
        model.save(ctx.out / MODEL)
        ctx.summary = f"detector trained on {sum(labels):,} attacks and {len(labels) - sum(labels):,} harmless texts"
    else:
        ctx.summary = "no training data for a detector (guard.train): rules only"
    ctx.write_json(TESTS, tests)


def _tests(ctx: Context, seen: set[str]) -> dict[str, list[dict[str, str]]]:
    """Attacks and harmless prompts of the test sources, without what was trained on and without repeats."""
    tests: dict[str, list[dict[str, str]]] = {"attacks": [], "harmless": []}
    for source in ctx.params.test:
        for path, data in read_source(source, project=ctx.project, downloads=ctx.downloads):
            for text, label in examples(path, data, default=1):
                form = normalise(text)
                if form not in seen:
                    seen.add(form)
                    tests["attacks" if label else "harmless"].append(
                        {"text": text, "source": f"{source.source} {path}"}
                    )
    return tests


def _benign(ctx: Context) -> tuple[list[str], list[str]]:
    """Harmless text of the project's own documents: some to train on, and gold questions to measure with."""
    rows = ctx.rows()
    gold = [r.title.rpartition(" › ")[2] for r in rows if r.meta.get("gold")]
    found: list[str] = []
    for row in rows:
        if not row.meta.get("gold"):
            found.append(row.title.rpartition(" › ")[2])
            text = row.text[:1500]
            found += [text[s:e] for s, e in sentences(text)[:2]]
    rng = random.Random(ctx.seed)
    rng.shuffle(found)
    return [t for t in found if t.strip()][:_BENIGN_SENTENCES], list(dict.fromkeys(gold))


def load_guard_parts(folder: Any) -> tuple[AttackModel | None, dict[str, list[dict[str, str]]]]:
    """The detector (None if none was trained) and the test texts of a guard artifact."""
    model = AttackModel.load(folder / MODEL) if (folder / MODEL).is_dir() else None
    return model, json.loads((folder / TESTS).read_bytes())
