"""The key of a stage, and why it differs from the last one."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from luodi.pipeline.code import code_files
from luodi.pipeline.stage import Stage
from luodi.store import digest_json


@cache
def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"


def environment(libraries: tuple[str, ...]) -> dict[str, str]:
    """What of this machine's software can change a result: Python, the processor's kind, the libraries named."""
    base = {"python": ".".join(map(str, sys.version_info[:2])), "machine": platform.machine()}
    return base | {name: _version(name) for name in ("pyarrow", *libraries)}


def key_parts(stage: Stage, inputs: Mapping[str, str], seed: int) -> dict[str, Any]:
    """Everything the key of `stage` is made of. `inputs` maps input names to artifact digests."""
    return {
        "stage": stage.name,
        "code": code_files(stage.module),
        "params": stage.values(),
        "inputs": dict(inputs),
        "environment": environment(stage.libraries),
        "outside": stage.fingerprint() if stage.fingerprint else "",
        "seed": seed,
    }


def action_key(parts: Mapping[str, Any]) -> str:
    return digest_json(parts)


def _changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    return sorted(k for k in {*old, *new} if old.get(k) != new.get(k))


def why_changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """In a few words, what makes `new` another key than `old`."""
    reasons = []
    for part, word in (("code", "code"), ("params", "option"), ("inputs", "input"), ("environment", "environment")):
        names = _changed(old.get(part, {}), new[part])
        if names and part == "params":
            names = [f"{n}: {old.get(part, {}).get(n)!r} → {new[part].get(n)!r}" for n in names]
        if names:
            shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if names[3:] else "")
            reasons.append(f"{word} changed ({shown})")
    if old.get("outside") != new["outside"]:
        reasons.append("its files changed")
    if old.get("seed") != new["seed"]:
        reasons.append("seed changed")
    return "; ".join(reasons) or "its result is no longer in the store"
