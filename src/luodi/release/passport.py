"""The passport: all measurements, verdicts, sources and steps of a release, as one JSON document."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from luodi import __version__
from luodi.project import PROMISES
from luodi.store import Action

SCHEMA = 1


def build(
    *,
    name: str,
    version: int,
    created: str,
    project: dict[str, Any],
    verdicts: dict[str, Any],
    actions: dict[str, Action],
    inputs: dict[str, Path],
    policy: dict[str, Any],
) -> dict[str, Any]:
    """The passport as plain values. Its keys are part of the product's face."""
    gates = {g["measure"]: g for g in verdicts["gates"]}
    live = {m["name"]: m for m in verdicts["live_measurements"]}
    promises: dict[str, list[dict[str, Any]]] = {p: [] for p in PROMISES}
    for m in verdicts["measurements"]:
        promises[m["promise"]].append(m | {"gate": gates.get(m["name"]), "live": live.get(m["name"], {}).get("value")})
    missing = [g for g in verdicts["gates"] if all(m["name"] != g["measure"] for m in verdicts["measurements"])]
    return {
        "schema": SCHEMA,
        "luodi": __version__,
        "name": name,
        "version": version,
        "created": created,
        "verdict": verdicts["verdict"],
        "compared_with": verdicts["live"],
        "promises": promises,
        "gates_without_measurement": missing,
        "thresholds": verdicts["thresholds"],
        "project": project,
        "policy": policy,
        "stages": [
            {
                "stage": a.stage,
                "key": a.key,
                "output": a.output,
                "summary": a.summary,
                "seconds": a.seconds,
                "time": a.time,
            }
            for a in actions.values()
        ],
        "losses": _json(inputs["train"] / "losses.json", []),
        "examples": _json(inputs["answers"] / "answers.json", [])[:8],
        "cards": _json(inputs["cards"] / "cards.json", {}),
        "safety": _json(inputs["safety"] / "safety.json", {}),
    }


def _json(path: Path, default: Any) -> Any:
    return json.loads(path.read_bytes()) if path.is_file() else default
