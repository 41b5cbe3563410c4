"""A small release, made and signed by the product's own code, with no model in it."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from luodi.engine.folder import write_about
from luodi.evaluate.gates import judge, overall
from luodi.guard import AttackModel, GuardPolicy
from luodi.guard.features import BUCKETS
from luodi.knowledge import DEFAULT_PROMPT, INDEX
from luodi.knowledge.chunks import chunk_section
from luodi.knowledge.index import build
from luodi.pipeline import Context, Measurement, Row, write_rows
from luodi.project import Gate
from luodi.release import Registry, Release, bundle
from luodi.store import Action, Store

DOCUMENTS: Mapping[str, str] = {
    "Forms › Field arguments": "A field is required by default. Set required=False on the field to make it optional.",
    "Caching › Timeouts": "The default timeout of the cache is 300 seconds. A timeout of None never expires.",
    "Databases › Transactions": "Use transaction.atomic to make a block atomic. An error rolls the whole block back.",
    "部署 › 静态文件": "运行 collectstatic 命令收集静态文件。默认目录由 STATIC_ROOT 设置指定。",
}
"""Title and text of the sections that a tiny release answers from."""


def tiny_release(
    store: Store,
    engine_kind: str = "fake",
    *,
    name: str = "helpdesk",
    documents: Mapping[str, str] = DOCUMENTS,
    failing: bool = False,
    policy: Mapping[str, Any] | None = None,
    watermark: str = "off",
    tokenizer: Path | None = None,
    weights_mb: int = 0,
    project: Mapping[str, Any] | None = None,
    **options: Any,
) -> Release:
    """Make a release in `store` through the real release stage, and register it.

    Args:
        engine_kind: the engine that its `serve.json` names; see `engine_kinds` for how to make one known.
        documents: title -> text of the sections in its index.
        failing: whether its one gate blocks.
        policy: the guard's policy; the default one if left out.
        watermark: as in `labels` of the project file.
        tokenizer: a tokenizer's file for its weights; without one they have none.
        project: other values of the project file, as the passport has them.
        weights_mb: megabytes of random bytes behind the stand-in's weights.
        options: other values of `serve.json`, e.g. `passages=2`.
    """
    work = Path(tempfile.mkdtemp(prefix="tiny-", dir=store.folder("work")))
    try:
        inputs = _inputs(work, documents, failing)
        with (inputs["model"] / "large.gguf").open("ab") as file:
            for _ in range(weights_mb):
                file.write(os.urandom(1 << 20))
        if tokenizer is not None:
            shutil.copyfile(tokenizer, inputs["model"] / "tokenizer.json")
        serve = {
            "engine": engine_kind,
            "pick": "large",
            "threads": 1,
            "privacy": "own-engines-only",
            "passages": 3,
            "max_answer_tokens": 96,
            "machine_usd_hour": 0.08,
        }
        context = Context(
            stage="release",
            params=bundle.Params(
                name=name,
                project={"name": name, "languages": ["en", "zh"]} | dict(project or {}),
                policy={"guard": policy or GuardPolicy().model_dump(mode="json")},
                labels={"watermark": watermark},
                instructions=DEFAULT_PROMPT,
                serve=serve | options,
            ),
            inputs=inputs,
            out=work / "out",
            state=work,
            seed=0,
            project=work,
            downloads=work,
            store=store,
            map_shards=lambda function, shards, params: [],
            report=lambda done, total, note: None,
            made_from={"train": Action("0" * 64, "train", "0" * 64, {}, summary="a stand-in")},
        )
        context.out.mkdir()
        bundle.run(context)
        store.artifacts.add(context.out, kind="release", about={"stage": "release", "key": "", "parts": {}})
    finally:
        shutil.rmtree(work)
    return Registry(store).all(name)[0]


def _inputs(work: Path, documents: Mapping[str, str], failing: bool) -> dict[str, Path]:
    inputs = {n: work / n for n in ("model", "index", "guard", "cards", "gates", "rows", "train", "answers", "safety")}
    for folder in inputs.values():
        folder.mkdir()
    write_about(inputs["model"], name="stand-in", licence="Apache-2.0", source="luodi.testing", context=4096)
    (inputs["model"] / "large.gguf").write_bytes(b"GGUF, but without weights\n")
    rows = [_row(n, title, text) for n, (title, text) in enumerate(documents.items())]
    build(inputs["index"] / INDEX, (c for row in rows for c in chunk_section(row, rank=0, words=70)))
    learnt = [row.child("pair", "pairs", meta={"split": "train", "answer": row.text}) for row in rows]
    write_rows(inputs["rows"], learnt)
    quiet = AttackModel(np.zeros(BUCKETS, np.float32), -5.0, 0.0, 1.0, 0.0, 0.5, "")
    quiet.save(inputs["guard"] / "attack-model")
    _name_weights(inputs["guard"] / "attack-model")
    (inputs["cards"] / "model-card.md").write_text("# Model card\n", "utf-8")
    _write(inputs["cards"] / "cards.json", {"model": {"Licence of the base model": "Apache-2.0"}, "data": {}})
    _write(inputs["gates"] / "verdicts.json", _verdicts(0.5 if failing else 1.0))
    return inputs


def _row(number: int, title: str, text: str) -> Row:
    block = {"kind": "text", "text": text, "start": 0, "end": len(text), "line": 1}
    return Row(
        f"row{number:04d}",
        "section",
        text,
        "file:documents",
        f"doc{number}.md",
        title,
        0,
        len(text),
        1,
        "CC0-1.0",
        "own",
        {"blocks": [block]},
    )


def _name_weights(folder: Path) -> None:
    """Give the saved attack model the version that belongs to its weights."""
    from luodi.guard.attacks import _version

    about = json.loads((folder / "model.json").read_bytes())
    _write(folder / "model.json", about | {"version": _version(np.load(folder / "weights.npy"))})


def _verdicts(value: float) -> dict[str, Any]:
    measured = [Measurement("answers_supported", "fit", value, "share", 100, "higher", value - 0.04, value)]
    gates: Sequence[Gate] = [Gate(measure="answers_supported", at_least=0.9)]
    judged = [judge(g, {m.name: m for m in measured}, {}) for g in gates]
    return {
        "verdict": overall(judged),
        "live": "",
        "thresholds": {"time": "2026-01-01T00:00:00Z", "signature": {"keyid": "", "signer": "", "sig": ""}},
        "gates": [j.as_dict() for j in judged],
        "measurements": [m.as_dict() for m in measured],
        "live_measurements": [],
    }


def _write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value), "utf-8")
