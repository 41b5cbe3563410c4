"""The release stage: all parts in one folder, the passport, and a signature over it all.

weights/     GGUF files, the tokenizer, luodi-model.json        guard/      attack detector, training text
index/       the knowledge index                                prompts/    versioned with the release
cards/       model card, data card                              serve.json  engine, passages, price
routes/      which model answers, where one of two is chosen
confidence/  how likely an answer is right, and from where on one is given
evidence/    what every item of every measurement scored
passport.json, passport.html, policy.json                       statement.json  the signature
"""

from __future__ import annotations

import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from luodi.engine.watermark import watermark_of
from luodi.guard.policy import compile_policy
from luodi.guard.privacy import PrivacyPolicy
from luodi.guard.training_text import TrainingText
from luodi.knowledge import DEFAULT_PROMPT
from luodi.pipeline import Context, read_rows
from luodi.release import mlbom, passport, statement
from luodi.release.formats import check_formats
from luodi.release.registry import Registry
from luodi.release.report import write_report
from luodi.release.verify import PASSPORT
from luodi.store import digest_file
from luodi.store.artifacts import list_content
from luodi.store.digest import digest_tree

EVIDENCE = "evidence"
_GUARD = ("attack-model", "semantic", "categories", "words")
_WEIGHTS = (
    "*.gguf",
    "luodi-model.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
    "config.json",
)


class Params(BaseModel):
    """What the release carries beside what the stages made. Empty instructions stand for the default ones."""

    name: str
    project: dict[str, Any]
    policy: dict[str, Any] = {}  # the default policy, if empty
    personal: dict[str, Any] = {}  # what becomes of personal data in live calls
    labels: dict[str, Any] = {}
    instructions: str
    serve: dict[str, Any]


def run(ctx: Context) -> None:
    """Inputs: the parts, and the stages that the passport tells of. Registers the release in `ctx.store`."""
    store = ctx.store
    p: Params = ctx.params
    policy = p.policy or {"guard": _policy(ctx)}
    if p.labels.get("watermark", "off") != "off":
        policy = policy | {"labels": {"watermark": watermark_of(store).as_dict()}}
    verdicts = ctx.json("gates", "verdicts.json")
    registry = Registry(store)
    version = registry.next_version(p.name)
    _copy_parts(ctx)
    ctx.progress(1, 3, "writing the passport")
    ctx.write_json("policy.json", policy)
    ctx.write_json("serve.json", p.serve)
    (ctx.out / "prompts").mkdir()
    (ctx.out / "prompts" / "answer.md").write_text((p.instructions or DEFAULT_PROMPT), "utf-8")
    document = passport.build(
        name=p.name,
        version=version,
        created=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        project=p.project,
        verdicts=verdicts,
        actions=ctx.made_from,
        inputs=dict(ctx.inputs),
        policy=policy,
    )
    expires = _expires(int(p.project.get("valid_days") or 0))
    if expires:
        document["expires"] = expires
    ctx.write_json(mlbom.FILE, mlbom.build(ctx.out, document, ctx.made_from))
    ctx.write_json(PASSPORT, document)
    write_report(document, ctx.out / "passport.html")
    ctx.progress(2, 3, "signing")
    predicate = {
        "name": p.name,
        "version": version,
        "verdict": verdicts["verdict"],
        "gates": verdicts["gates"],
        "thresholds_signed": verdicts["thresholds"]["time"],
        "passport": digest_file(ctx.out / PASSPORT),
        "stages": {name: action.output for name, action in ctx.made_from.items()},
        "expires": expires,
    }
    check_formats(ctx.out)
    files = list_content(ctx.out)
    ctx.write_json(statement.FILE, statement.sign(store.keys, ctx.out, files, predicate))
    # The artifact will get exactly this digest; the row is there before it, and a kill in between leaves a row
    # whose bundle is missing, which the registry does not show and whose version is used again.
    digest = digest_tree(list_content(ctx.out))
    registry.register(p.name, version, digest, verdicts["verdict"], store.keys.owner())
    reports = store.folder("reports")
    shutil.copyfile(ctx.out / "passport.html", reports / f"{p.name}@{version}.html")
    size = sum(f["size"] for f in files) / 1e6
    where = "candidate" if verdicts["verdict"] == "pass" else f"not released: {verdicts['verdict']}"
    ctx.summary = f"{p.name}@{version} · {where} · {len(files)} parts, {size:.0f} MB, signed by {store.keys.owner()}"


def _expires(days: int) -> str:
    """The last day, in UTC, on which a release of today is served; "" for ever."""
    return (datetime.now(UTC).date() + timedelta(days=days)).isoformat() if days else ""


def _policy(ctx: Context) -> dict[str, Any]:
    """What the project says of its guard, for the parts that the release has."""
    guard = ctx.inputs["guard"]
    has = {
        "attack-model": "injection", "semantic": "transformer", "categories": "moderation", "words": "moderation",
        "rules.yaml": "business",
    }  # fmt: skip
    parts = {part for name, part in has.items() if (guard / name).exists()}
    p: Params = ctx.params
    privacy = PrivacyPolicy.model_validate(p.personal)
    return compile_policy(p.project.get("guard") or {}, parts, privacy).model_dump(mode="json")


def _copy_parts(ctx: Context) -> None:
    def copy(source: Path, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)

    if "rows" in ctx.inputs:
        learnt = [row.meta for row in read_rows(ctx.inputs["rows"]) if row.meta.get("split") == "train"]
        # how an answer is declined is said by design, and stands in many rows
        answers = (meta["answer"] for meta in learnt if meta.get("answerable", True))
        TrainingText.build(answers).save(ctx.out / "guard" / "training-text")
    for pattern in _WEIGHTS:
        for path in sorted(ctx.inputs["model"].glob(pattern)):
            copy(path, ctx.out / "weights" / path.name)
    for file in ("index.sqlite", "vectors.npy", "vectors.json", "glossary.json"):
        if (ctx.inputs["index"] / file).is_file():
            copy(ctx.inputs["index"] / file, ctx.out / "index" / file)
    if (ctx.inputs["guard"] / "rules.yaml").is_file():
        copy(ctx.inputs["guard"] / "rules.yaml", ctx.out / "guard" / "rules.yaml")
    if (ctx.inputs["gates"] / "items.json").is_file():
        copy(ctx.inputs["gates"] / "items.json", ctx.out / EVIDENCE / "items.json")
    if "confidence" in ctx.inputs:
        copy(ctx.inputs["confidence"] / "confidence.json", ctx.out / "confidence" / "confidence.json")
    if "routes" in ctx.inputs:
        copy(ctx.inputs["routes"] / "route.json", ctx.out / "routes" / "route.json")
    for folder, target in (
        *((ctx.inputs["guard"] / name, f"guard/{name}") for name in _GUARD),
        (ctx.inputs["cards"], "cards"),
    ):
        for path in sorted(folder.glob("*")) if folder.is_dir() else ():
            if path.name != "measurements.json":
                copy(path, ctx.out / target / path.name)
