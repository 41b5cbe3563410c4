"""The published form of what a release says of itself: JSON Schemas of the passport and of the compliance report."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

NAMES = ("passport", "compliance")


def schema(name: str) -> dict[str, Any]:
    """One of `NAMES`. Raises: KeyError for another."""
    if name not in NAMES:
        raise KeyError(name)
    loaded: dict[str, Any] = json.loads(files(__name__).joinpath(f"{name}.json").read_text("utf-8"))
    return loaded
