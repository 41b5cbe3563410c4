"""The judge of a suite, calibrated on the labels that the suite names and those of the project."""

from __future__ import annotations

from pathlib import Path

from luodi.engine import open_engine
from luodi.errors import SourceError
from luodi.evaluate.judges import Confusion, Judge, Label, ModelJudge, Refusals, calibrate, read_labels
from luodi.evaluate.suites.scorers import JUDGED
from luodi.evaluate.suites.suite import Suite
from luodi.pipeline.sources import read_source

OWN = "labels"  # folder of the project with labels that people gave, e.g. of its own languages


def judge_of(suite: Suite, *, project: Path, downloads: Path) -> tuple[Judge | None, dict[str, Confusion]]:
    """The judge and its confusion matrix by language; (None, {}) for a suite that none judges."""
    if suite.about.scorer != JUDGED:
        return None, {}
    labels: list[Label] = []
    for source in suite.about.labels:
        for path, data in read_source(source, project=project, downloads=downloads):
            labels += read_labels(path, data)
    for file in sorted((project / OWN).glob("*")) if (project / OWN).is_dir() else ():
        if file.suffix in (".csv", ".json", ".jsonl", ".parquet"):
            labels += read_labels(file.name, file.read_bytes())
    judge = _judge(suite)
    return judge, calibrate(judge, labels)


def _judge(suite: Suite) -> Judge:
    name = suite.about.judge
    if name == "phrases":
        return Refusals()
    if name.startswith(("http://", "https://")):
        return ModelJudge(open_engine(name, Path()), name)
    raise SourceError(f"suite {suite.name}: there is no judge {name!r}", "write phrases, or the URL of a server")
