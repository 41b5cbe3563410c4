"""Checkpoints of a training run: safetensors only, written whole or not at all, the newest whole one wins."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from luodi.errors import require
from luodi.store import digest_file, write_json

_KEPT = 2


@dataclass(slots=True)
class Progress:
    """Where a run stands: the number of finished optimizer steps and what happened so far."""

    step: int = 0
    losses: list[float] = field(default_factory=list)
    seconds: float = 0.0
    tokens: int = 0


def save(folder: Path, progress: Progress, tensors: dict[str, Any]) -> None:
    """Write `step-N.safetensors`, then `step-N.json` with its digest: only with both does the checkpoint exist."""
    torch_io = require("safetensors.torch", extra="train")
    weights = folder / f"step-{progress.step:06d}.safetensors"
    torch_io.save_file({k: v.contiguous() for k, v in tensors.items()}, weights)
    with weights.open("rb") as file:
        import os

        os.fsync(file.fileno())
    about = {
        "step": progress.step,
        "losses": progress.losses,
        "seconds": progress.seconds,
        "tokens": progress.tokens,
        "digest": digest_file(weights),
    }
    write_json(weights.with_suffix(".json"), about)
    for old in sorted(folder.glob("step-*.json"))[:-_KEPT]:
        old.unlink()
        old.with_suffix(".safetensors").unlink(missing_ok=True)


def load(folder: Path) -> tuple[Progress, dict[str, Any]] | None:
    """The newest checkpoint that is whole, or None."""
    torch_io = require("safetensors.torch", extra="train")
    for path in sorted(folder.glob("step-*.json"), reverse=True):
        weights = path.with_suffix(".safetensors")
        try:
            about = json.loads(path.read_bytes())
            if digest_file(weights) != about.pop("digest"):
                continue
        except (OSError, ValueError, KeyError):
            continue
        return Progress(**about), torch_io.load_file(weights)
    return None
