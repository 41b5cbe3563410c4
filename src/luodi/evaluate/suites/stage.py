"""The suites stage: the suites that the project names, on the model that will be served."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel

from luodi.engine import open_engine
from luodi.evaluate.items import keep
from luodi.evaluate.suites import SUITE, Subject, find_suite, run_suite
from luodi.evaluate.suites.answers import weights_digest
from luodi.evaluate.suites.judging import OWN, judge_of
from luodi.knowledge.vectors import open_index
from luodi.pipeline import Context
from luodi.store import digest_bytes, digest_json


class Params(BaseModel):
    suites: list[str]
    instructions: str
    engine: str
    pick: str
    passages: int
    confidence: float
    threads: int


def fingerprint(names: Sequence[str], project: Path) -> str:
    """Changes when a suite's files or the project's labels do."""
    folders = [project / name for name in names if (project / name / SUITE).is_file()]
    folders += [project / OWN] if (project / OWN).is_dir() else []
    files = [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]
    return digest_json([[p.relative_to(project).as_posix(), digest_bytes(p.read_bytes())] for p in files])


def run(ctx: Context) -> None:
    """Inputs: `model`, `index`, `thresholds`. What an earlier attempt or `luodi evaluate` asked is not asked again."""
    p: Params = ctx.params
    weights = ctx.inputs["model"]
    index = open_index(ctx.inputs["index"])
    subject = Subject(
        model=weights_digest(weights),
        engine=f"{p.engine} {p.pick}",
        open=lambda: open_engine(p.engine, weights, pick=p.pick, threads=p.threads),
        folder=ctx.store.folder("cache") / "evaluate",
        chooser=lambda: open_engine("transformers", weights, pick=p.pick, threads=p.threads),
        index=index,
        passages=p.passages,
        instructions=p.instructions,
    )
    told = []
    try:
        for number, name in enumerate(p.suites):
            suite = find_suite(name, project=ctx.project, downloads=ctx.downloads, seed=ctx.seed)
            judge, confusion = judge_of(suite, project=ctx.project, downloads=ctx.downloads)
            result = run_suite(
                suite, subject, confidence=p.confidence, seed=ctx.seed, judge=judge, confusion=confusion,
                progress=ctx.part(number, len(p.suites), suite.name),
            )  # fmt: skip
            for m in result.measurements:
                ctx.measure(m)
            keep(ctx.out, result.items)
            ctx.write_json(f"{suite.name}.json", {"digest": suite.digest, "wrong": result.wrong})
            first = result.measurements[0]
            told.append(f"{first.name} {first.value:.2f}")
    finally:
        index.close()
    ctx.summary = "; ".join(told)
