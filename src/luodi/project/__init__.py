"""The project: a folder with `luodi.yaml`, `gates.yaml`, prompts and data."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from luodi.project.gates import PROMISES, Gate, Gates, Promise, Waiver
from luodi.project.model import BaseModelSource, Project, Source
from luodi.project.reading import read_yaml

__all__ = [
    "PROMISES",
    "BaseModelSource",
    "Gate",
    "Gates",
    "Loaded",
    "Project",
    "Promise",
    "Source",
    "Waiver",
    "ignored",
    "load",
    "schema",
]


@dataclass(frozen=True, slots=True)
class Loaded:
    """A project folder that has been read without mistakes."""

    root: Path
    project: Project
    gates: Gates

    def prompt(self, name: str) -> str:
        """Text of `prompts/NAME.md`, or "" where the project has none."""
        path = self.root / "prompts" / f"{name}.md"
        return path.read_text("utf-8") if path.is_file() else ""


def load(root: Path) -> Loaded:
    """Read the project in `root`. Raises ProjectError with every mistake found."""
    project = read_yaml(root / "luodi.yaml", Project)
    gates = read_yaml(root / "gates.yaml", Gates) if os.path.lexists(root / "gates.yaml") else Gates()
    return Loaded(root, project, gates)


def _on_this_machine(url: str) -> bool:
    return (urlsplit(url).hostname or "") in ("127.0.0.1", "::1", "localhost")


def ignored(project: Project) -> list[str]:
    """Settings that are read and do nothing yet; a user must not believe that they work."""
    found = []
    if not project.guard.train:
        found.append(
            "guard.train is empty: no attack detector is trained; known templates of attacks are still refused"
        )
    for source in project.data:
        if not source.source.startswith("knowledge:"):
            found.append(f"data: {source.source!r}: examples are made from the documents only, so far")
    for source in project.knowledge:
        if source.source.startswith("knowledge:"):
            found.append(f"knowledge: {source.source!r} is no source of documents; it belongs under `data`")
    own_only = project.serve.privacy == "own-engines-only"
    for model in project.serve.models:
        for u in model.upstreams:
            where = f"serve.models: {model.name}: {u.url}"
            if own_only and not u.own and not _on_this_machine(u.url):
                found.append(f"{where} is not asked: serve.privacy says own-engines-only, and `own` is not set")
            elif u.price == "unknown" and project.serve.limiting.unknown_price == "refuse":
                found.append(f"{where} has no price, so every call to it is refused; set `price`")
    if project.serve.route == "difficulty" and not {"large", "small"} <= set(project.compress.picks):
        found.append("serve.route: difficulty needs both compress.picks, large and small; serve.pick answers")
    if project.serve.route == "difficulty" and project.serve.engine.startswith("http"):
        found.append("serve.route: difficulty needs an engine of this machine; the server at serve.engine answers")
    if project.serve.tools and not project.serve.mcp:
        found.append("serve.tools: they are offered over MCP only, and serve.mcp is false")
    return found


def schema(which: str = "project") -> str:
    """JSON Schema of `luodi.yaml` ("project") or `gates.yaml` ("gates"), for editors."""
    model: Any = {"project": Project, "gates": Gates}[which]
    return json.dumps(model.model_json_schema(), indent=2, ensure_ascii=False) + "\n"
