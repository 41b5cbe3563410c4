"""What is served: the parts of one release, opened."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from luodi.engine import Engine, open_engine
from luodi.errors import ReleaseError
from luodi.guard import AttackModel, Guard, GuardPolicy
from luodi.knowledge import INDEX, Index
from luodi.release import Verified


@dataclass(frozen=True, slots=True)
class Served:
    """A release ready to answer. `options` are those of `serve.json`."""

    release: str
    engine: Engine
    index: Index
    guard: Guard
    instructions: str
    options: dict[str, Any]
    passport: dict[str, Any]

    def close(self) -> None:
        self.engine.close()
        self.index.close()


def check_privacy(options: dict[str, Any]) -> None:
    """Raises: ReleaseError if the engine is on another machine and the project allows only its own."""
    from urllib.parse import urlsplit

    engine = str(options["engine"])
    if engine.startswith("http") and options["privacy"] == "own-engines-only":
        host = urlsplit(engine).hostname or ""
        if host not in ("127.0.0.1", "::1", "localhost"):
            raise ReleaseError(
                f"the engine {engine} is on another machine, and serve.privacy says own-engines-only",
                "set serve.privacy to any if calls may leave this machine",
            )


def open_served(
    *,
    release: str,
    weights: Path,
    index: Path,
    guard: Path | None,
    policy: dict[str, Any],
    instructions: str,
    options: dict[str, Any],
    passport: dict[str, Any],
) -> Served:
    """Open the parts of a release, wherever they lie."""
    check_privacy(options)
    model = AttackModel.load(guard) if guard is not None and guard.is_dir() else None
    return Served(
        release=release,
        engine=open_engine(options["engine"], weights, pick=options["pick"], threads=options["threads"]),
        index=Index(index),
        guard=Guard(GuardPolicy.model_validate(policy["guard"]), model, system_prompt=instructions),
        instructions=instructions,
        options=options,
        passport=passport,
    )


def open_release(verified: Verified, **changes: Any) -> Served:
    """Open a release that was verified. `changes` override options of serving, e.g. engine or threads."""
    folder = verified.folder
    options = json.loads((folder / "serve.json").read_bytes()) | {k: v for k, v in changes.items() if v is not None}
    return open_served(
        release=str(verified.release),
        weights=folder / "weights",
        index=folder / "index" / INDEX,
        guard=folder / "guard" / "attack-model",
        policy=json.loads((folder / "policy.json").read_bytes()),
        instructions=(folder / "prompts" / "answer.md").read_text("utf-8"),
        options=options,
        passport=verified.passport,
    )
