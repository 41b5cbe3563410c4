"""Writing so that a kill or a full disk leaves either the old content or the new, never a half."""

from __future__ import annotations

import errno
import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from luodi.errors import StoreError

_HINTS = {
    errno.ENOSPC: "free some space (`luodi store gc` removes what no run and no release needs), then run again",
    errno.EDQUOT: "the quota is used up: free some space (`luodi store gc`), then run again",
    errno.EROFS: "the store is on a read-only disk: set LUODI_HOME to a folder that can be written",
    errno.EACCES: "the folder may not be written by this user: change its owner or set LUODI_HOME",
    errno.ENOTDIR: "a file stands where a folder is needed: move it away or set LUODI_HOME",
    errno.EFBIG: "the file would be larger than this user's limit: raise it (`ulimit -f`)",
    errno.EPERM: "the folder may not be written by this user: change its owner or set LUODI_HOME",
}


@contextmanager
def disk_errors(what: str) -> Iterator[None]:
    """Turn the operating system's disk errors into a StoreError that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in _HINTS:
            named = isinstance(error.filename, str) and str(Path(error.filename).parent) not in what
            which = f" ({error.filename})" if named else ""
            raise StoreError(f"{what}: {error.strerror}{which}", _HINTS[error.errno]) from error
        raise


def sync_folder(path: Path) -> None:
    """Make a rename inside `path` survive a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_bytes(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write `data` to `path` at once: temporary name, fsync, rename, fsync of the folder."""
    with disk_errors(f"{path} could not be written"):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
        try:
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def write_json(path: Path, value: Any) -> None:
    write_bytes(path, json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False).encode() + b"\n")
