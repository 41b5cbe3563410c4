"""A model's folder in the store: `luodi-model.json` says what is in it.

model.safetensors, config.json, tokenizer.json …     for training and the reference engine
large.gguf, small.gguf                               for serving
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from luodi.errors import EngineError
from luodi.store import write_json

ABOUT = "luodi-model.json"


def write_about(folder: Path, **about: Any) -> None:
    """`name`, `licence`, `source`, `context` (tokens), `template` (chat template), `eos` and `stop` texts."""
    write_json(folder / ABOUT, about)


def read_about(folder: Path) -> dict[str, Any]:
    try:
        loaded: dict[str, Any] = json.loads((folder / ABOUT).read_bytes())
    except (OSError, ValueError) as error:
        raise EngineError(f"{folder} holds no model: {ABOUT} can't be read ({error})") from error
    return loaded


def gguf_file(folder: Path, pick: str) -> Path:
    path = folder / f"{pick}.gguf"
    if not path.is_file():
        there = ", ".join(p.stem for p in sorted(folder.glob("*.gguf"))) or "none"
        raise EngineError(
            f"the model has no weights named {pick!r} (it has: {there})", "see compress.picks in luodi.yaml"
        )
    return path
