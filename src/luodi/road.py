"""The road: a project as a list of stages, from documents to a signed release.

collect → clean → scrub → deduplicate → index → pairs ─┐
                                └→ guard               │
base ──────────────────────────────────────────────────┴→ train → compress ─┐
  └→ compress-base                                                          │
thresholds ─────────────────→ answers, parity, safety, acceptance ←─────────┘
                                └→ cards → gates → release
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from luodi.compress import stage as compress
from luodi.data import clean, collect, deduplicate, pairs, scrub
from luodi.engine.sources import fingerprint as model_fingerprint
from luodi.evaluate import answers, attacks, gating, parity, safety, thresholds
from luodi.gateway import acceptance
from luodi.guard import GuardPolicy
from luodi.knowledge import DEFAULT_PROMPT
from luodi.knowledge import stage as knowledge
from luodi.pipeline import Stage
from luodi.pipeline.sources import fingerprint as sources_fingerprint
from luodi.release import Registry, bundle, cards, verify
from luodi.train import base
from luodi.train import stage as train

if TYPE_CHECKING:
    from luodi.project import Loaded
    from luodi.store import Store

_MODEL = ("torch", "transformers", "gguf", "safetensors")
_SERVE = ("openvino-genai", "xllamacpp")


def stages(loaded: Loaded, store: Store) -> list[Stage]:
    """Every stage of the project, inputs before those that need them."""
    return [*_data(loaded), *_model(loaded), *_measures(loaded, store), *_release(loaded, store)]


def _instructions(loaded: Loaded) -> str:
    return loaded.prompt("answer") or DEFAULT_PROMPT


def _data(loaded: Loaded) -> list[Stage]:
    project = loaded.project
    documents = [s for s in project.knowledge if not s.source.startswith("knowledge:")]
    attack_sources = [*project.guard.train, *project.guard.test]
    return [
        Stage(
            "collect",
            collect.run,
            collect.Params(sources=documents),
            fingerprint=lambda: sources_fingerprint(documents, loaded.root),
        ),
        Stage("clean", clean.run, clean.Params(), {"rows": "collect"}),
        Stage("scrub", scrub.run, project.scrub, {"rows": "clean"}),
        Stage("deduplicate", deduplicate.run, project.deduplicate, {"rows": "scrub"}, libraries=("rensa", "rjieba")),
        Stage(
            "index",
            knowledge.run,
            knowledge.Params(sources=[s.source for s in documents]),
            {"rows": "deduplicate"},
            libraries=("rjieba",),
        ),
        Stage(
            "pairs",
            pairs.run,
            pairs.Params(
                instructions=_instructions(loaded),
                passages=project.serve.passages,
                use_pairs=any(s.source.startswith("knowledge:") for s in project.data),
            ),
            {"rows": "deduplicate", "index": "index"},
            libraries=("rjieba",),
        ),
        Stage(
            "guard",
            attacks.run,
            attacks.Params(train=project.guard.train, test=project.guard.test),
            {"rows": "deduplicate"},
            libraries=("scikit-learn", "numpy"),
            fingerprint=lambda: sources_fingerprint(attack_sources, loaded.root),
        ),
    ]


def _model(loaded: Loaded) -> list[Stage]:
    project = loaded.project
    picks: dict[str, str] = {pick: str(getattr(project.compress, pick)) for pick in project.compress.picks}
    return [
        Stage(
            "base",
            base.run,
            project.base,
            libraries=_MODEL,
            fingerprint=lambda: model_fingerprint(project.base, loaded.root),
        ),
        Stage(
            "train",
            train.run,
            project.train,
            {"base": "base", "rows": "pairs"},
            libraries=(*_MODEL, "peft", "accelerate"),
        ),
        Stage(
            "compress",
            compress.run,
            compress.Params(picks=picks),
            {"base": "base", "train": "train"},
            libraries=(*_MODEL, "peft"),
        ),
        Stage(
            "compress-base",
            compress.run,
            compress.Params(picks={"large": project.compress.large}, measure=False),
            {"base": "base"},
            libraries=_MODEL,
        ),
    ]


def _policy() -> dict[str, Any]:
    return {"guard": GuardPolicy().model_dump(mode="json")}


def _serve_options(loaded: Loaded) -> dict[str, Any]:
    serve = loaded.project.serve
    names = ("engine", "pick", "threads", "privacy", "passages", "max_answer_tokens", "machine_usd_hour")
    return {name: getattr(serve, name) for name in names}


def _measures(loaded: Loaded, store: Store) -> list[Stage]:
    project, serve = loaded.project, loaded.project.serve
    common: dict[str, Any] = {
        "instructions": _instructions(loaded),
        "engine": serve.engine,
        "pick": serve.pick,
        "passages": serve.passages,
        "max_tokens": serve.max_answer_tokens,
        "threads": serve.threads,
        "confidence": project.evaluate.confidence,
    }
    asked = {"pairs": "pairs", "index": "index", "model": "compress", "thresholds": "thresholds"}
    return [
        Stage(
            "thresholds",
            thresholds.stage(lambda payload: store.keys.sign(payload).as_dict()),
            thresholds.Params(gates=loaded.gates.gates),
        ),
        Stage(
            "answers",
            answers.run,
            answers.Params(gold=project.evaluate.gold, **common),
            asked | {"base": "compress-base"},
            libraries=_SERVE,
        ),
        Stage(
            "parity",
            parity.run,
            parity.Params(prompts=project.evaluate.parity, **common),
            asked,
            libraries=(*_SERVE, *_MODEL),
        ),
        Stage(
            "safety",
            safety.run,
            safety.Params(
                policy=GuardPolicy(),
                attacks=project.evaluate.attacks,
                harmless=project.evaluate.harmless,
                confidence=project.evaluate.confidence,
            ),
            {"guard": "guard", "thresholds": "thresholds"},
        ),
        Stage(
            "acceptance",
            acceptance.run,
            acceptance.Params(policy=_policy(), instructions=_instructions(loaded), serve=_serve_options(loaded)),
            asked | {"guard": "guard"},
            libraries=_SERVE,
        ),
    ]


_MEASURED = (
    "collect",
    "clean",
    "scrub",
    "deduplicate",
    "pairs",
    "base",
    "train",
    "compress",
    "answers",
    "parity",
    "safety",
    "acceptance",
)


def _release(loaded: Loaded, store: Store) -> list[Stage]:
    project = loaded.project
    documents = [s for s in project.knowledge if not s.source.startswith("knowledge:")]
    measured = {name: name for name in _MEASURED}
    parts = {"index": "index", "guard": "guard", "model": "compress", "cards": "cards", "gates": "gates"}
    return [
        Stage(
            "cards",
            cards.run,
            cards.Params(
                name=project.name,
                languages=list(project.languages),
                base=project.base.source,
                train=project.train.model_dump(mode="json", include={"method", "rank"}),
                picks={pick: str(getattr(project.compress, pick)) for pick in project.compress.picks},
                sources=[s.model_dump(mode="json", include={"source", "licence", "basis"}) for s in documents],
                personal_data="masked" if project.scrub.disposition == "mask" else "sections with any are dropped",
            ),
            measured | {"rows": "deduplicate", "model": "compress"},
        ),
        Stage(
            "gates",
            gating.stage(lambda: _live(project.name, store)),
            gating.Params(name=project.name),
            measured | {"cards": "cards", "thresholds": "thresholds"},
        ),
        Stage(
            "release",
            bundle.stage(store),
            bundle.Params(
                name=project.name,
                project=project.model_dump(mode="json", exclude={"store", "runner"}),
                policy=_policy(),
                instructions=_instructions(loaded),
                serve=_serve_options(loaded),
            ),
            parts | {"train": "train", "answers": "answers", "safety": "safety"},
        ),
    ]


def _live(name: str, store: Store) -> tuple[str, list[dict[str, Any]]]:
    """The live release and the measurements of its verified passport; ("", []) if there is none.

    It is looked up when the gates run and is not part of their key: promoting a release does not make it anew.
    """
    live = [r for r in Registry(store).all(name) if "live" in r.channels]
    if not live:
        return "", []
    passport = verify(live[0], store).passport
    return str(live[0]), [m for rows in passport["promises"].values() for m in rows]


def project_root(start: Path) -> Path:
    """The nearest folder at or above `start` with a luodi.yaml; `start` itself if there is none."""
    for folder in (start, *start.parents):
        if (folder / "luodi.yaml").is_file():
            return folder
    return start
