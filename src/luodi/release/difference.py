"""What changed between two releases: in each part, in the documents, and in each measurement."""

from __future__ import annotations

import difflib
import sqlite3
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from luodi.release.statement import FILE as STATEMENT
from luodi.store import digest_bytes
from luodi.store.artifacts import list_content

GROUPS = {
    "weights": "weights", "prompts": "prompts", "index": "knowledge", "guard": "guard", "policy.json": "policy",
    "serve.json": "serving", "routes": "routes", "confidence": "confidence", "cards": "cards",
}  # fmt: skip
_TEXTS = (".md", ".json", ".yaml", ".yml", ".txt", ".csv", ".jinja")
_LARGEST = 200_000  # bytes of a text that is compared line by line
_LINES = 400  # of a comparison
_NAMED = 200  # documents that are named

Change = Literal["added", "removed", "changed"]


@dataclass(frozen=True, slots=True)
class PartChange:
    """A part that differs.

    Attributes:
        group: what it belongs to: weights, prompts, knowledge, …
        lines: a unified comparison of a text; empty of others.
    """

    group: str
    path: str
    change: Change
    before: str
    after: str
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Moved:
    """A measurement of both releases, or of one.

    Attributes:
        apart: whether the two intervals do not touch; what lies within them may be chance.
        better: whether the second is better by its value; None if one is missing or they are equal.
    """

    name: str
    promise: str
    unit: str
    before: float | None
    after: float | None
    apart: bool
    better: bool | None


@dataclass(frozen=True, slots=True)
class Difference:
    """All that differs between two bundles."""

    parts: tuple[PartChange, ...]
    documents: dict[Change, list[str]]
    measurements: tuple[Moved, ...]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def compare(before: Path, after: Path, first: dict[str, Any], second: dict[str, Any]) -> Difference:
    """Two bundles' folders and passports."""
    return Difference(
        tuple(_parts(before, after)),
        _documents(before / "index" / "index.sqlite", after / "index" / "index.sqlite"),
        tuple(_measurements(first, second)),
    )


def _parts(before: Path, after: Path) -> list[PartChange]:
    own = (STATEMENT, "passport.json", "passport.html")  # these differ in any case
    old, new = ({f["path"]: f["digest"] for f in list_content(folder)} for folder in (before, after))
    found = []
    for path in sorted({*old, *new} - {*own}):
        if old.get(path) == new.get(path):
            continue
        change: Change = "changed" if path in old and path in new else "added" if path in new else "removed"
        group = GROUPS.get(path.partition("/")[0], "other")
        lines = _lines(before / path, after / path) if path.endswith(_TEXTS) and group != "weights" else ()
        found.append(PartChange(group, path, change, old.get(path, ""), new.get(path, ""), lines))
    return found


def _lines(before: Path, after: Path) -> tuple[str, ...]:
    texts: list[list[str]] = []
    for path in (before, after):
        if path.is_file() and path.stat().st_size > _LARGEST:
            return ()
        texts.append(path.read_text("utf-8", "replace").splitlines() if path.is_file() else [])
    lines = difflib.unified_diff(texts[0], texts[1], lineterm="", n=1)
    found = [line for line in lines if not line.startswith(("---", "+++"))]
    left = len(found) - _LINES
    return (*found[:_LINES], f"… {left} more lines") if left > 0 else tuple(found)


def _documents(before: Path, after: Path) -> dict[Change, list[str]]:
    old, new = _listed(before), _listed(after)
    changed = [name for name in new if name in old and old[name] != new[name]]
    found: dict[Change, list[str]] = {
        "added": [name for name in new if name not in old],
        "removed": [name for name in old if name not in new],
        "changed": changed,
    }
    return {change: sorted(names) for change, names in found.items()}


def _listed(index: Path) -> dict[str, str]:
    """What tells the documents of an index from others, by their place: a digest, or their text in the index."""
    if not index.is_file():
        return {}
    with closing(sqlite3.connect(f"{index.resolve().as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
        found: dict[str, str] = {}
        for source, path, text in connection.execute("SELECT source, path, text FROM chunk ORDER BY id"):
            name = f"{source}: {path}"
            found[name] = digest_bytes((found.get(name, "") + text).encode("utf-8", "surrogatepass"))
        if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'document'").fetchone():
            rows = connection.execute("SELECT source, path, digest FROM document").fetchall()
            found |= {f"{source}: {path}": digest for source, path, digest in rows}
    return found


def _measurements(first: dict[str, Any], second: dict[str, Any]) -> list[Moved]:
    old, new = ({m["name"]: m for ms in p["promises"].values() for m in ms} for p in (first, second))
    moved = []
    for name in [*new, *(name for name in old if name not in new)]:
        a, b = old.get(name), new.get(name)
        some = b or a
        assert some is not None
        apart, better = a is None or b is None, None
        if a is not None and b is not None:
            if a["value"] == b["value"]:
                continue
            apart = _low(a) > _high(b) or _low(b) > _high(a)
            better = (b["value"] > a["value"]) == (some["better"] == "higher")
        moved.append(Moved(name, some["promise"], some["unit"], a and a["value"], b and b["value"], apart, better))
    return moved


def _low(m: dict[str, Any]) -> float:
    return float(m["value"] if m.get("low") is None else m["low"])


def _high(m: dict[str, Any]) -> float:
    return float(m["value"] if m.get("high") is None else m["high"])
