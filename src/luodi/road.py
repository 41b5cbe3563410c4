"""The road: a project as a list of stages, from documents to a signed release.

    collect → clean → scrub → deduplicate → index → pairs ─┐
    base ──────────────────────────────────────────────────┴→ train → compress ─┐
      └→ compress-base ─────────────────────────────────────────────────────────┤
    guard ───────────────────────────────────────────────────────────────────────┴→ evaluate → gates → release
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from luodi import evaluate, release
from luodi.compress import stage as compress
from luodi.data import clean, collect, deduplicate, pairs, scrub
from luodi.data.documents import fingerprint as documents_fingerprint
from luodi.engine.sources import fingerprint as model_fingerprint
from luodi.evaluate import attacks
from luodi.knowledge import DEFAULT_PROMPT
from luodi.knowledge import stage as knowledge
from luodi.pipeline import Stage
from luodi.train import base
from luodi.train import stage as train

if TYPE_CHECKING:
    from luodi.project import Loaded
    from luodi.store import Store

_MODEL_LIBRARIES = ("torch", "transformers", "gguf", "safetensors")


def stages(loaded: Loaded, store: Store) -> list[Stage]:
    """Every stage of the project, inputs before those that need them."""
    project, root = loaded.project, loaded.root
    knowledge_sources = [s for s in project.knowledge if not s.source.startswith("knowledge:")]
    instructions = loaded.prompt("answer") or DEFAULT_PROMPT
    from_knowledge = any(s.source.startswith("knowledge:") for s in project.data)
    picks = {pick: getattr(project.compress, pick) for pick in project.compress.picks}
    attack_sources = [*project.guard.train, *project.guard.test]
    return [
        Stage("collect", collect.run, collect.Params(sources=knowledge_sources), fingerprint=lambda: documents_fingerprint(knowledge_sources, root)),
        Stage("clean", clean.run, clean.Params(), {"rows": "collect"}),
        Stage("scrub", scrub.run, project.scrub, {"rows": "clean"}),
        Stage("deduplicate", deduplicate.run, project.deduplicate, {"rows": "scrub"}, libraries=("rensa",)),
        Stage("index", knowledge.run, knowledge.Params(sources=[s.source for s in knowledge_sources]), {"rows": "deduplicate"}, libraries=("rjieba",)),
        Stage(
            "pairs",
            pairs.run,
            pairs.Params(instructions=instructions, passages=project.serve.passages, use_pairs=from_knowledge),
            {"rows": "deduplicate", "index": "index"},
        ),
        Stage("base", base.run, project.base, libraries=_MODEL_LIBRARIES, fingerprint=lambda: model_fingerprint(project.base, root)),
        Stage("train", train.run, project.train, {"base": "base", "rows": "pairs"}, libraries=(*_MODEL_LIBRARIES, "peft", "accelerate")),
        Stage("compress", compress.run, compress.Params(picks=picks), {"base": "base", "train": "train"}, libraries=(*_MODEL_LIBRARIES, "peft")),
        Stage("compress-base", compress.run, compress.Params(picks={"large": project.compress.large}), {"base": "base"}, libraries=_MODEL_LIBRARIES),
        Stage(
            "guard",
            attacks.run,
            attacks.Params(train=project.guard.train, test=project.guard.test),
            {"rows": "deduplicate"},
            libraries=("scikit-learn", "numpy"),
            fingerprint=lambda: documents_fingerprint(attack_sources, root),
        ),
        *evaluate.stages(loaded, instructions),
        *release.stages(loaded, store, instructions),
    ]


def project_root(start: Path) -> Path:
    """The nearest folder at or above `start` with a luodi.yaml; `start` itself if there is none."""
    for folder in (start, *start.parents):
        if (folder / "luodi.yaml").is_file():
            return folder
    return start
