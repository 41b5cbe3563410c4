"""Digests: BLAKE3-256 in hex, of bytes, files, JSON values and folders."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from blake3 import blake3

_MMAP_FROM = 1 << 20  # bytes; below this reading at once is faster than mapping


def digest_bytes(data: bytes) -> str:
    return blake3(data).hexdigest()


def digest_file(path: Path) -> str:
    """Digest of a file's content; memory use does not grow with the file."""
    if path.stat().st_size < _MMAP_FROM:
        return digest_bytes(path.read_bytes())
    return blake3(max_threads=blake3.AUTO).update_mmap(str(path)).hexdigest()


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's content in hex, for what others read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def canonical_json(value: Any) -> bytes:
    """One byte string per JSON value: sorted keys, no spaces, UTF-8, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def digest_json(value: Any) -> str:
    return digest_bytes(canonical_json(value))


def short_id(*parts: str) -> str:
    """A 128-bit id (32 hex digits) of some strings; lengths are part of it, so that parts can't run together."""
    return digest_json(list(parts))[:32]


def list_files(root: Path) -> Iterator[Path]:
    """Everything below `root` that is no folder, in a fixed order; links are not followed."""
    for folder, names, files in os.walk(root):
        names.sort()
        for name in sorted([*files, *(n for n in names if Path(folder, n).is_symlink())]):
            yield Path(folder, name)


def digest_tree(files: list[dict[str, Any]]) -> str:
    """Digest of a folder from its listing: `{"path", "size", "digest"}` per file."""
    return digest_json(sorted((f["path"], f["size"], f["digest"]) for f in files))
