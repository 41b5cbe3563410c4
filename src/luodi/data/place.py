"""Putting documents into a project: files in its folder, and the folder in its project file."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from luodi.errors import ProjectError
from luodi.store import write_bytes


def put(target: Path, data: bytes) -> str:
    """Write a file whole or not at all; says whether it is `new`, `changed` or the `same`."""
    if target.is_file():
        if target.read_bytes() == data:
            return "same"
        write_bytes(target, data)
        return "changed"
    target.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(target, data)
    return "new"


def name_source(path: Path, folder: str, licence: str, basis: str) -> bool:
    """Add `file:FOLDER` to `knowledge` of a project file unless it is there; all else in it stays, comments too.

    Raises:
        ProjectError: `knowledge` is written in a way that a line can't be added to.
    """
    text = path.read_text("utf-8")
    data = yaml.safe_load(text) or {}
    found = data.get("knowledge") or []
    if any(isinstance(s, dict) and s.get("source") == f"file:{folder}" for s in found):
        return False
    item = re.search(r"^knowledge:[^\n]*\n(?:[ \t]*(?:#[^\n]*)?\n)*([ \t]*)- ", text, re.M)
    indent = item[1] if item else "  "
    line = f'{indent}- {{source: "file:{folder}", glob: "**/*", licence: {licence}, basis: {basis}}}\n'
    head = re.search(r"^knowledge:[ \t]*(?:#[^\n]*)?\n", text, re.M)
    if head:
        made = text[: head.end()] + line + text[head.end() :]
    elif "knowledge" not in data:
        made = text.rstrip("\n") + f"\n\nknowledge:\n{line}"
    else:
        raise ProjectError(
            f"{path.name}: `knowledge` is written on one line, so no source can be added to it",
            f"add it by hand: {line.strip(' -').strip()}",
        )
    try:
        right = yaml.safe_load(made)["knowledge"][0]["source"] == f"file:{folder}"
    except (yaml.YAMLError, KeyError, TypeError, IndexError):
        right = False
    if not right:
        raise ProjectError(f"{path.name}: no source can be added to `knowledge`", f"add it by hand: {line.strip()}")
    write_bytes(path, made.encode())
    return True
