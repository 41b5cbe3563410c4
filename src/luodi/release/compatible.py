"""Can a release take the place of another: what callers of the one may rely on has to hold for the other."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from luodi.engine.folder import ABOUT


@dataclass(frozen=True, slots=True)
class Clash:
    """Something that callers would notice.

    Attributes:
        level: "block" if calls that worked would fail, "warn" if they would be answered otherwise.
    """

    what: str
    level: Literal["block", "warn"]
    before: str
    after: str


def clashes(before: Path, after: Path) -> list[Clash]:
    """What stands between the bundle in `after` and the place of the one in `before`; the worst first."""
    found: list[Clash] = []
    old, new = (_about(folder) for folder in (before, after))

    def worse(what: str, level: Literal["block", "warn"], a: Any, b: Any) -> None:
        found.append(Clash(what, level, str(a), str(b)))

    a, b = int(old.get("context") or 0), int(new.get("context") or 0)
    if b < a:
        worse("context length", "block", f"{a} tokens", f"{b} tokens")
    if old.get("tokenizer") != new.get("tokenizer"):
        worse("tokenizer", "warn", old.get("tokenizer", "none"), new.get("tokenizer", "none"))
    for key in ("languages", "models"):
        gone = sorted(set(old.get(key) or ()) - set(new.get(key) or ()))
        if gone:
            worse(f"{key} served", "block", ", ".join(gone), "not served")
    if old.get("answers") != new.get("answers"):
        worse("how answers are made", "warn", old.get("answers"), new.get("answers"))
    if old.get("schema") != new.get("schema"):
        worse("passport schema", "warn", old.get("schema"), new.get("schema"))
    for check in sorted(set(old["checks"]) - set(new["checks"])):
        worse("guard check", "warn", check, "not in the policy")
    a, b = old["documents"], new["documents"]
    if a and not b:
        worse("documents", "block", "an index", "none")
    return sorted(found, key=lambda clash: clash.level)


def _about(folder: Path) -> dict[str, Any]:
    passport = _json(folder / "passport.json")
    serve, policy = _json(folder / "serve.json"), _json(folder / "policy.json").get("guard", {})
    weights = folder / "weights"
    tokenizer = _json(weights / "tokenizer.json").get("model", {})
    kind = f"{tokenizer.get('type')} of {len(tokenizer.get('vocab', ()))}" if tokenizer else ""
    doors = ("input", "untrusted", "output")
    return {
        "context": _json(weights / ABOUT).get("context"),
        "tokenizer": kind,
        "languages": passport.get("project", {}).get("languages"),
        "models": [m.get("name") for m in serve.get("models", []) if isinstance(m, dict)],
        "answers": serve.get("answers", "written"),
        "schema": passport.get("schema"),
        "checks": [f"{door}: {name}" for door in doors for name in policy.get(door, ())],
        "documents": (folder / "index" / "index.sqlite").is_file(),
    }


def _json(path: Path) -> dict[str, Any]:
    value = json.loads(path.read_bytes()) if path.is_file() else {}
    return value if isinstance(value, dict) else {}
