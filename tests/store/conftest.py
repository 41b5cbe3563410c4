from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[], Path]]:
    """A function that mounts a disk of 512 KB; only root can."""
    with ExitStack() as stack:

        def mount() -> Path:
            path = tmp_path / "disk"
            path.mkdir()
            done = subprocess.run(
                ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", path], capture_output=True, check=False
            )
            if done.returncode:
                pytest.skip("this user can't mount a disk")
            stack.callback(subprocess.run, ["umount", "-l", path], check=True)
            return path

        yield mount
