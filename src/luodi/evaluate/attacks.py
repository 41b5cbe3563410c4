"""The guard stage: trains the attack detector, and sets aside the attacks and harmless prompts it is measured with."""

from __future__ import annotations

import csv
import io
import json
import random
import re
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from luodi.errors import SourceError
from luodi.guard import AttackModel, normalise
from luodi.guard.moderation import CATEGORIES, OPENAI, CategoryModel, read_library
from luodi.guard.semantic import SemanticModel
from luodi.knowledge.sentences import sentences
from luodi.pipeline import Context
from luodi.pipeline.sources import read_source
from luodi.project import Source

MODEL = "attack-model"
TESTS = "tests.json"
_TEXT_KEYS = ("text", "prompt", "payload", "jailbreak_query", "user_input", "prompt injection", "prompt_injections")
_LABEL_KEYS = ("label", "is_injection", "is_attack", "category")
_BENIGN = {"0", "benign", "false", "safe", "none", "harmless"}
_BENIGN_SENTENCES = 6000
_TOKEN = re.compile(r"[一-鿿]|[^\W一-鿿]+")
_RUN = 5  # words of a run


class Params(BaseModel):
    train: list[Source]
    test: list[Source]
    category_data: list[Source] = []
    semantic: bool = False
    model: str = ""
    words: str = ""
    rules: str = ""


@dataclass(frozen=True, slots=True)
class Flagged:
    """How many texts of one kind the detector flags in one source that it was not trained on."""

    source: str
    attacks: bool
    flagged: int
    n: int


@dataclass(frozen=True, slots=True)
class Trained:
    """A detector, and how it does on the test sources."""

    model: AttackModel
    rows: list[Flagged]


def records(path: str, data: bytes) -> list[dict[str, Any]]:
    """Rows of CSV, JSON, JSON lines or Parquet, with lower-case names; each line of any other file is a `text`."""
    if path.endswith(".parquet"):
        import pyarrow.parquet as pq

        found = pq.read_table(io.BytesIO(data)).to_pylist()
    elif path.endswith(".csv"):
        found = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))
    elif path.endswith(".jsonl"):
        found = [json.loads(line) for line in data.decode().splitlines() if line.strip()]
    elif path.endswith(".json"):
        loaded = json.loads(data)
        found = [
            {"text": r} if isinstance(r, str) else r for r in (loaded.values() if isinstance(loaded, dict) else loaded)
        ]
    else:
        found = [{"text": line} for line in data.decode().splitlines() if line.strip()]
    return [{str(k).strip().lower(): v for k, v in record.items()} for record in found]


def examples(path: str, data: bytes, *, default: int) -> Iterator[tuple[str, int]]:
    """(text, 1 for an attack) from a file of records; `default` where it has no labels.

    Raises:
        SourceError: the file has no column of texts.
    """
    for low in records(path, data):
        text = next((low[k] for k in _TEXT_KEYS if k in low), None)
        if text is None:
            raise SourceError(
                f"{path}: no column of texts", f"one of {', '.join(_TEXT_KEYS)} is expected; found {', '.join(low)}"
            )
        label = next((low[k] for k in _LABEL_KEYS if k in low), None)
        if isinstance(text, str) and text.strip():
            yield text, default if label is None else int(str(label).strip().lower() not in _BENIGN)


def run(ctx: Context) -> None:
    """Inputs: `rows` (sections, as benign text). Without training data no detector is made, and that is recorded.

    The project's words and business rules are checked and become part of the artifact; so does a detector that
    `luodi guard train` has made.
    """
    params: Params = ctx.params
    trained, seen = _training(params, ctx.project, ctx.downloads, lambda text: ctx.progress(1, 4, text))
    tests = _tests(params, ctx.project, ctx.downloads, seen)
    benign, held = _benign(ctx)
    tests["harmless"] = [{"text": t, "source": "knowledge"} for t in held] + tests["harmless"]
    if params.model:
        AttackModel.load(ctx.project / params.model).save(ctx.out / MODEL)
        ctx.summary = f"detector of {params.model}"
    elif trained:
        ctx.progress(2, 4, "training the detector")
        texts = [t for t, _ in trained] + benign
        labels = [y for _, y in trained] + [0] * len(benign)
        AttackModel.train(texts, labels, seed=ctx.seed).save(ctx.out / MODEL)
        ctx.summary = f"detector trained on {sum(labels):,} attacks and {len(labels) - sum(labels):,} harmless texts"
    else:
        ctx.summary = "no training data for a detector (guard.train): rules only"
    if params.semantic and trained:
        texts, labels = [t for t, _ in trained], [y for _, y in trained]
        ctx.progress(3, 4, "learning attacks by meaning")
        SemanticModel.train(texts + benign, labels + [0] * len(benign), seed=ctx.seed).save(ctx.out / "semantic")
    _categories(ctx, params, benign)
    _words(ctx, params)
    _rules(ctx, params)
    ctx.write_json(TESTS, tests)


def train_alone(
    params: Params, *, project: Path, downloads: Path, seed: int, progress: Callable[[str], None]
) -> Trained:
    """Train a detector from the project's sources alone, and measure it on its test sources.

    Raises:
        SourceError: nothing to train on, or a source that is used for both.
    """
    trained, seen = _training(params, project, downloads, progress)
    if not trained:
        raise SourceError("there is nothing to train on", "name sources under guard.train")
    progress(f"training on {len(trained):,} texts")
    model = AttackModel.train([t for t, _ in trained], [y for _, y in trained], seed=seed)
    rows = []
    for kind, found in _tests(params, project, downloads, seen).items():
        by_source: dict[str, list[bool]] = defaultdict(list)
        for item in found:
            by_source[item["source"]].append(model.score(item["text"]) >= model.threshold)
        rows += [Flagged(name, kind == "attacks", sum(said), len(said)) for name, said in sorted(by_source.items())]
    return Trained(model, rows)


class _Seen:
    """What was trained on, to leave it out of what is measured: the same normal form, or half of its runs of words."""

    def __init__(self) -> None:
        self._forms: set[str] = set()
        self._runs: set[int] = set()

    def add(self, text: str) -> None:
        form = normalise(text)
        self._forms.add(form)
        self._runs.update(_runs(form))

    def knows(self, text: str) -> bool:
        form = normalise(text)
        if form in self._forms:
            return True
        runs = _runs(form)
        return bool(runs) and sum(run in self._runs for run in runs) > len(runs) / 2


def _runs(form: str) -> set[int]:
    words = _TOKEN.findall(form[:20_000])
    return {hash(tuple(words[at : at + _RUN])) for at in range(len(words) - _RUN + 1)}


def _training(
    params: Params, project: Path, downloads: Path, progress: Callable[[str], None]
) -> tuple[list[tuple[str, int]], _Seen]:
    both = {(s.source, s.glob) for s in params.train} & {(s.source, s.glob) for s in params.test}
    if both:
        raise SourceError(
            f"guard: {sorted(both)[0][0]} is used for training and for measuring", "what it is trained on says nothing"
        )
    trained: list[tuple[str, int]] = []
    seen = _Seen()
    for source in params.train:
        for path, data in read_source(source, project=project, downloads=downloads):
            trained += examples(path, data, default=1)
        progress(source.source)
    for text, _ in trained:
        seen.add(text)
    return trained, seen


def _tests(params: Params, project: Path, downloads: Path, seen: _Seen) -> dict[str, list[dict[str, str]]]:
    """Attacks and harmless prompts of the test sources, without what was trained on and without repeats."""
    tests: dict[str, list[dict[str, str]]] = {"attacks": [], "harmless": []}
    known: set[str] = set()
    for source in params.test:
        for path, data in read_source(source, project=project, downloads=downloads):
            for text, label in examples(path, data, default=1):
                form = normalise(text)
                if form not in known and not seen.knows(text):
                    known.add(form)
                    tests["attacks" if label else "harmless"].append(
                        {"text": text, "source": f"{source.source} {path}"}
                    )
    return tests


def _categories(ctx: Context, params: Params, benign: Sequence[str]) -> None:
    """The model of categories: rows of `text` and `category`; a row without a category is benign."""
    if not params.category_data:
        return
    texts = list(benign)
    labels: list[list[str]] = [[] for _ in benign]
    for source in params.category_data:
        for path, data in read_source(source, project=ctx.project, downloads=ctx.downloads):
            for record in records(path, data):
                text, own = str(record.get("text") or record.get("prompt") or ""), str(record.get("category") or "")
                if unknown := [name for name in own.split() if name not in CATEGORIES and name not in OPENAI]:
                    raise SourceError(f"{path}: {unknown[0]!r} is no category", "write A.1.1 to A.5.2 or S1 to S14")
                if text.strip():
                    texts.append(text)
                    labels.append(own.split())
    CategoryModel.train(texts, labels, seed=ctx.seed).save(ctx.out / "categories")


def _words(ctx: Context, params: Params) -> None:
    folder = ctx.project / params.words if params.words else None
    if folder is not None and folder.is_dir():
        library = read_library(folder)
        library.automaton()
        library.save(ctx.out / "words")


def _rules(ctx: Context, params: Params) -> None:
    """The rule file, read and tried: a release is not made with rules that fail their own examples."""
    path = ctx.project / params.rules if params.rules else None
    if path is None or not path.is_file():
        return
    from luodi.guard.business import read_rules, try_rules

    failed = [tried for tried in try_rules(read_rules(path)) if not tried.passed]
    if failed:
        raise SourceError(
            f"{params.rules}: rule {failed[0].rule!r}, example {failed[0].number}: {failed[0].problem}",
            "`luodi rules test` shows all of them",
        )
    shutil.copyfile(path, ctx.out / "rules.yaml")


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
