"""One run at a time works on a store. The lock is the operating system's, so a killed run holds nothing."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from luodi.errors import StoreError
from luodi.store.atomic import disk_errors


@contextmanager
def lease(path: Path) -> Iterator[None]:
    """Hold the lock `path`. Raises: StoreError if another process holds it."""
    with disk_errors(f"{path} could not be written"):
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(handle, 32, 0).decode(errors="replace").strip() or "unknown"
            raise StoreError(
                f"another run (process {holder}) is working on this project",
                "wait for it, or stop it: nothing will be lost",
            ) from error
        with disk_errors(f"{path} could not be written"):
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)
