"""Action records: `actions/<key>.json` is written last, and is the only proof that a stage completed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from luodi.store.atomic import disk_errors, write_json


@dataclass(frozen=True, slots=True)
class Action:
    """What was done: the key says with what, the output says what came of it."""

    key: str
    stage: str
    output: str
    parts: dict[str, Any]  # what the key was made of: code, params, inputs, environment, seed
    summary: str = ""
    measurements: list[dict[str, Any]] = field(default_factory=list)
    shards: list[str] = field(default_factory=list)  # keys of the actions of its shards
    seconds: float = 0.0
    time: str = ""


class Actions:
    """The action records below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, key: str) -> Path:
        return self.root / f"{key}.json"

    def get(self, key: str) -> Action | None:
        """The record of `key`; None if there is none. A damaged record counts as none: the stage runs again."""
        try:
            with disk_errors(f"{self.path(key)} could not be read"):
                loaded = json.loads(self.path(key).read_bytes())
            return Action(**loaded) if loaded["key"] == key else None
        except (FileNotFoundError, ValueError, TypeError, KeyError):
            return None

    def put(self, action: Action) -> None:
        write_json(self.path(action.key), asdict(action))

    def all(self) -> Iterator[Action]:
        for path in sorted(self.root.glob("*.json")):
            action = self.get(path.stem)
            if action is not None:
                yield action

    def remove(self, key: str) -> None:
        self.path(key).unlink(missing_ok=True)
