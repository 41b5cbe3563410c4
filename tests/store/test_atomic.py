from __future__ import annotations

import errno
import json
import os
import resource
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from luodi.errors import StoreError
from luodi.store import Artifacts, Store, write_bytes, write_json
from luodi.store.atomic import disk_errors

Disk = Callable[[], Path]


def fill(disk: Path) -> None:
    with (disk / "filler").open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
        while True:
            file.write(b"x" * 4096)


def test_content_is_written(tmp_path: Path) -> None:
    write_bytes(tmp_path / "new" / "a", b"text")
    assert (tmp_path / "new" / "a").read_bytes() == b"text"


def test_content_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    write_bytes(tmp_path / "a", b"old")
    write_bytes(tmp_path / "a", b"new")
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {"a": b"new"}


def test_mode(tmp_path: Path) -> None:
    write_bytes(tmp_path / "a", b"", mode=0o600)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600


def test_json_is_read_back(tmp_path: Path) -> None:
    write_json(tmp_path / "a", {"ä": [1, None, "中"]})
    assert json.loads((tmp_path / "a").read_bytes()) == {"ä": [1, None, "中"]}


@pytest.mark.parametrize("name", ["write", "fsync", "replace"])
def test_failure_at_any_step_leaves_the_old_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    write_bytes(tmp_path / "a", b"old")

    def fails(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    if name == "write":
        monkeypatch.setattr(os, "fdopen", fails)
    else:
        monkeypatch.setattr(os, name, fails)
    with pytest.raises(OSError, match="Input/output"):
        write_bytes(tmp_path / "a", b"new")
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {"a": b"old"}


def test_interrupt_leaves_the_old_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_bytes(tmp_path / "a", b"old")

    def interrupted(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_bytes(tmp_path / "a", b"new")
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {"a": b"old"}


@contextmanager
def small_files() -> Iterator[None]:
    """Files of a thousand bytes at most; for this block only, since pytest's own output may be a file."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, handler)


def test_file_beyond_the_limit_leaves_the_old_content(tmp_path: Path) -> None:
    write_bytes(tmp_path / "a", b"old")
    with small_files(), pytest.raises(StoreError, match="could not be written") as caught:
        write_bytes(tmp_path / "a", b"x" * 2000)
    assert "ulimit" in caught.value.hint
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {"a": b"old"}


def test_full_disk_leaves_the_old_content(small_disk: Disk) -> None:
    disk = small_disk()
    write_bytes(disk / "a", b"old")
    fill(disk)
    with pytest.raises(StoreError, match="No space left") as caught:
        write_bytes(disk / "a", b"x" * 100_000)
    assert "gc" in caught.value.hint
    assert (disk / "a").read_bytes() == b"old"
    assert sorted(p.name for p in disk.iterdir()) == ["a", "filler"]


def test_artifact_that_does_not_fit_is_not_there(small_disk: Disk) -> None:
    disk = small_disk()
    (disk / "out").mkdir()
    (disk / "out" / "a").write_bytes(b"x" * 5000)
    fill(disk)
    artifacts = Artifacts(disk / "artifacts")
    with pytest.raises(StoreError, match="No space left"):
        artifacts.add(disk / "out", kind="toy", about={})
    assert list(artifacts.all()) == []


def test_read_only_disk(small_disk: Disk) -> None:
    disk = small_disk()
    write_bytes(disk / "a", b"old")
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    with pytest.raises(StoreError, match="Read-only") as caught:
        write_bytes(disk / "a", b"new")
    assert "LUODI_HOME" in caught.value.hint
    assert (disk / "a").read_bytes() == b"old"


def test_store_on_a_read_only_disk(small_disk: Disk) -> None:
    disk = small_disk()
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    with pytest.raises(StoreError, match="could not be made"):
        Store(disk / ".luodi")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_read_only_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    with pytest.raises(StoreError, match="Permission denied"):
        write_bytes(tmp_path / "a", b"")
    tmp_path.chmod(0o755)


def test_file_in_place_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(StoreError, match="Not a directory") as caught:
        Store(tmp_path / "a" / "b")
    assert "move it away" in caught.value.hint


def test_file_that_was_refused_is_named() -> None:
    with (
        pytest.raises(StoreError, match=r"it could not write: Permission denied \(/some/file\)"),
        disk_errors("it could not write"),
    ):
        raise PermissionError(errno.EACCES, "Permission denied", "/some/file")


def test_other_errors_stay_as_they_are() -> None:
    with pytest.raises(FileNotFoundError), disk_errors("what"):
        raise FileNotFoundError(errno.ENOENT, "none")
