"""A release's bill of materials: CycloneDX 1.6 with the model card, its data, its parts and the libraries used.

https://cyclonedx.org/docs/1.6/json/
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from luodi import __version__
from luodi.engine.folder import read_about
from luodi.store import Action
from luodi.store.digest import sha256_file

FILE = "cards/mlbom.cdx.json"
_NAMESPACE = uuid.UUID("5a1c7a0e-2f0d-4c58-9f6e-6c756f646900")


def build(folder: Path, passport: Mapping[str, Any], actions: Mapping[str, Action]) -> dict[str, Any]:
    """The bill of the bundle in `folder`, which is whole but for its bill, passport and statement."""
    name, version = passport["name"], str(passport["version"])
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    parts = [_part(folder, path) for path in files]
    data = list(_data(passport))
    model = _model(folder, passport, [each["bom-ref"] for each in data])
    libraries = list(_libraries(actions))
    release = {"type": "application", "bom-ref": "release", "name": name, "version": version}
    refs = [each["bom-ref"] for each in (model, *data, *parts, *libraries)]
    identity = "\n".join(f"{part['name']} {part['hashes'][0]['content']}" for part in parts)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, f'{name}@{version} {identity}')}",
        "version": 1,
        "metadata": {
            "timestamp": passport["created"],
            "tools": {"components": [{"type": "application", "name": "luodi", "version": __version__}]},
            "component": release,
        },
        "components": [model, *data, *parts, *libraries],
        "dependencies": [
            {"ref": "release", "dependsOn": refs},
            {"ref": "model", "dependsOn": [each["bom-ref"] for each in data]},
        ],
    }


def _licences(text: str) -> dict[str, Any]:
    if not text:
        return {}
    return {"licenses": [{"license": {"id" if text in _KNOWN_IDS else "name": text}}]}


# Identifiers that CycloneDX takes as SPDX ones; what is not among them is given as a name, which is always valid.
_KNOWN_IDS = {
    "Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause", "GPL-2.0-only", "GPL-2.0-or-later", "GPL-3.0-only",
    "GPL-3.0-or-later", "LGPL-3.0-only", "MPL-2.0", "CC0-1.0", "CC-BY-4.0", "CC-BY-SA-4.0", "ISC", "Unlicense",
}  # fmt: skip


def _model(folder: Path, passport: Mapping[str, Any], datasets: list[str]) -> dict[str, Any]:
    about = read_about(folder / "weights")
    card = passport.get("cards", {}).get("model", {})
    metrics = [
        {
            "type": m["name"],
            "value": f"{m['value']:.6g} {m['unit']}".strip(),
            "slice": f"{m['n']} items",
            **(
                {"confidenceInterval": {"lowerBound": f"{m['low']:.6g}", "upperBound": f"{m['high']:.6g}"}}
                if m.get("low") is not None and m.get("high") is not None
                else {}
            ),
        }
        for found in passport["promises"].values()
        for m in found
    ]
    considerations = {
        "useCases": [card["Intended use"]] if card.get("Intended use") else [],
        "technicalLimitations": [card[k] for k in ("Known limits", "Not intended for") if card.get(k)],
    }
    return {
        "type": "machine-learning-model",
        "bom-ref": "model",
        "name": about["name"],
        **_licences(str(about.get("licence", ""))),
        "modelCard": {
            "modelParameters": {
                "approach": {"type": "supervised"},
                "task": "text generation: answers from documents",
                "architectureFamily": "transformer",
                "datasets": [{"ref": ref} for ref in datasets],
                "inputs": [{"format": "text"}],
                "outputs": [{"format": "text"}],
            },
            "quantitativeAnalysis": {"performanceMetrics": metrics},
            "considerations": {key: value for key, value in considerations.items() if value},
        },
    }


def _data(passport: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    for number, source in enumerate(_sources(passport["project"])):
        yield {
            "type": "data",
            "bom-ref": f"data-{number}",
            "name": source["source"],
            **_licences(source.get("licence", "")),
            "data": [
                {
                    "type": "dataset",
                    "name": source["source"],
                    **({"description": f"legal basis: {source['basis']}"} if source.get("basis") else {}),
                }
            ],
        }


def _sources(project: Mapping[str, Any]) -> list[dict[str, str]]:
    every = [*project.get("knowledge", []), *project.get("data", [])]
    # what is made from the documents is no source of its own
    return [each for each in every if not each["source"].startswith("knowledge:")]


def _part(folder: Path, path: Path) -> dict[str, Any]:
    name = path.relative_to(folder).as_posix()
    content = sha256_file(path)
    return {"type": "file", "bom-ref": f"part:{name}", "name": name, "hashes": [{"alg": "SHA-256", "content": content}]}


def _libraries(actions: Mapping[str, Action]) -> Iterable[dict[str, Any]]:
    used: dict[str, str] = {}
    for action in actions.values():
        used |= action.parts.get("environment", {})
    for name, version in sorted(used.items()):
        if name not in ("python", "machine") and version != "not installed":
            purl = f"pkg:pypi/{name.lower()}@{version}"
            yield {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
