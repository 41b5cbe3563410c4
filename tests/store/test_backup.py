"""A store comes back from its backup whole, or not at all."""

from __future__ import annotations

import io
import json
import stat
import tarfile
import threading
from pathlib import Path

import pytest

from luodi.errors import IntegrityError, LuodiError, StoreError
from luodi.release import Registry, verify
from luodi.store import Store
from luodi.store.backup import MANIFEST, backup, restore
from luodi.testing import tiny_release


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store(tmp_path_factory.mktemp("kept") / "store")
    release = tiny_release(store)
    Registry(store).move(release, "live", "me")
    folder = store.folder("work") / "extra"
    folder.mkdir()
    (folder / "big.bin").write_bytes(b"x" * 1000)
    store.artifacts.add(folder, kind="rows", about={})
    return store


def test_back_as_it_was(store, tmp_path):
    made = backup(store, tmp_path / "b.tar")
    assert (made.releases, made.artifacts) == (1, 1)
    assert stat.S_IMODE((tmp_path / "b.tar").stat().st_mode) == 0o600
    found = restore(tmp_path / "b.tar", tmp_path / "again")
    assert found == made
    again = Store(tmp_path / "again")
    release = Registry(again).find("helpdesk@live")
    assert verify(release, again).release.digest == Registry(store).find("helpdesk").digest
    assert again.keys.public_text() == store.keys.public_text()
    assert stat.S_IMODE((again.root / "keys" / "signing.pem").stat().st_mode) == 0o600


def test_everything_where_asked_for(store, tmp_path):
    assert backup(store, tmp_path / "all.tar", everything=True).artifacts == 2
    restore(tmp_path / "all.tar", tmp_path / "again")
    assert len(list(Store(tmp_path / "again").artifacts.all())) == 2


def test_while_it_is_written_to(tmp_path):
    store = Store(tmp_path / "busy")
    tiny_release(store)
    stop = threading.Event()
    written = []

    def write() -> None:
        while not stop.is_set():
            with store.database.begin() as connection:
                store.database.log(connection, "me", "test", str(len(written)))
            written.append(1)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for number in range(3):
            backup(store, tmp_path / f"{number}.tar")
    finally:
        stop.set()
        thread.join()
    assert len(written) > 3
    from luodi.store.audit import verify as check

    for number in range(3):
        restore(tmp_path / f"{number}.tar", tmp_path / f"again{number}")
        report = check(Store(tmp_path / f"again{number}"))
        assert report.ok, report.problems


def test_half_a_backup_is_none(store, tmp_path):
    backup(store, tmp_path / "b.tar")
    data = (tmp_path / "b.tar").read_bytes()
    for cut in (0, 100, 512, len(data) // 2, len(data) - 11_000):
        (tmp_path / "cut.tar").write_bytes(data[:cut])
        with pytest.raises(IntegrityError, match=r"cut\.tar"):
            restore(tmp_path / "cut.tar", tmp_path / "again")
        assert not (tmp_path / "again").exists()
    assert not list(tmp_path.glob(".again*"))


def damaged(source: Path, target: Path, change) -> None:
    with tarfile.open(source) as old, tarfile.open(target, "w") as new:
        for member in old:
            data = old.extractfile(member).read()
            data = change(member, data)
            if data is not None:
                member.size = len(data)
                new.addfile(member, io.BytesIO(data))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda m, d: d.replace(b"e", b"f") if m.name.endswith("answer.md") else d, "not as it was backed up"),
        (lambda m, d: None if m.name.endswith("answer.md") else d, "is missing"),
        (lambda m, d: json.dumps({"files": []}).encode() if m.name == MANIFEST else d, "damaged|not listed"),
        (lambda m, d: b"{" if m.name == MANIFEST else d, "damaged"),
    ],
)
def test_a_damaged_backup_is_refused(store, tmp_path, change, reason):
    backup(store, tmp_path / "b.tar")
    damaged(tmp_path / "b.tar", tmp_path / "d.tar", change)
    with pytest.raises(IntegrityError, match=reason):
        restore(tmp_path / "d.tar", tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_a_path_outside_is_refused(store, tmp_path):
    with tarfile.open(tmp_path / "evil.tar", "w") as tar:
        member = tarfile.TarInfo("../evil.txt")
        member.size = 1
        tar.addfile(member, io.BytesIO(b"x"))
    with pytest.raises(LuodiError):
        restore(tmp_path / "evil.tar", tmp_path / "deep" / "again")
    assert not (tmp_path / "evil.txt").exists() and not (tmp_path / "deep" / "evil.txt").exists()


def test_nothing_is_overwritten(store, tmp_path):
    backup(store, tmp_path / "b.tar")
    with pytest.raises(StoreError, match="is there already"):
        backup(store, tmp_path / "b.tar")
    with pytest.raises(StoreError, match="there is a store"):
        restore(tmp_path / "b.tar", store.root)
