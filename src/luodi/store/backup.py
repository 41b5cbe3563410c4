"""Back a store up to one file while it is in use, and bring it back whole.

luodi.db         a consistent copy, also of a store that is being written to
keys/…           the signing key and the trusted ones: whoever has the file can sign as this store
artifacts/…      every release; all other artifacts and action records, where asked for
manifest.json    last: each file with its size and digest, so that half a backup is no backup
"""

from __future__ import annotations

import io
import json
import os
import shutil
import sqlite3
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from luodi.errors import IntegrityError, StoreError
from luodi.store import Artifact, Store
from luodi.store.atomic import disk_errors, sync_folder
from luodi.store.digest import digest_file, list_files

MANIFEST = "manifest.json"
_FORMAT = 1
Told = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup holds."""

    time: str
    releases: int
    artifacts: int
    files: int
    bytes: int


def backup(store: Store, target: Path, *, everything: bool = False, told: Told = lambda *_: None) -> Backup:
    """Write a backup of `store` to `target`, which only its owner may read.

    Args:
        everything: also artifacts and records that no release needs, so that nothing is built again.

    Raises:
        StoreError: there is something already, or the database is no file: a server has tools of its own.
    """
    if target.exists():
        raise StoreError(f"{target} is there already", "name a file that does not exist yet")
    if store.database.engine.dialect.name != "sqlite":
        raise StoreError(
            "this store's database is a server's", "back it up with the server's tools (pg_dump), and .luodi as files"
        )
    temporary = target.with_name(f".{target.name}.part")
    work = Path(tempfile.mkdtemp(prefix="backup-", dir=store.folder("work")))
    try:
        with disk_errors(f"{target} could not be written"):
            snapshot = work / "luodi.db"
            digests = _snapshot(store.root / "luodi.db", snapshot)
            artifacts = [a for a in store.artifacts.all() if everything or a.digest in digests]
            files = list(_files(store, snapshot, artifacts, everything))
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "wb") as out:
                found = _write(out, files, len(digests), len(artifacts), told)
                out.flush()
                os.fsync(out.fileno())
            temporary.replace(target)
            sync_folder(target.absolute().parent)
        with store.database.begin() as connection:  # so that who erases something is told what may still hold it
            store.database.log(connection, store.keys.owner(), "store.backed_up", str(target.absolute()))
    finally:
        temporary.unlink(missing_ok=True)
        shutil.rmtree(work, ignore_errors=True)
    return found


def _snapshot(source: Path, target: Path) -> set[str]:
    """Copy the database as it is at one moment; the digests of its releases."""
    read_only = sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True)
    with closing(read_only) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)
        return {row[0] for row in new.execute("SELECT digest FROM releases")}


def _files(store: Store, snapshot: Path, artifacts: list[Artifact], everything: bool) -> Iterator[tuple[str, Path]]:
    yield "luodi.db", snapshot
    folders = [store.root / "keys", *(a.root for a in artifacts), *([store.root / "actions"] if everything else [])]
    for folder in folders:
        for path in list_files(folder):
            if path.is_file() and not path.is_symlink() and not path.name.startswith("."):
                yield path.relative_to(store.root).as_posix(), path


def _write(out: BinaryIO, files: list[tuple[str, Path]], releases: int, artifacts: int, told: Told) -> Backup:
    listing: list[dict[str, Any]] = []
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for number, (name, path) in enumerate(files):
            told(number, len(files), name)
            member = tar.gettarinfo(path, name)
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            with path.open("rb") as file:
                tar.addfile(member, file)
            listing.append({"path": name, "size": member.size, "digest": digest_file(path)})
        about = {
            "format": _FORMAT,
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "releases": releases,
            "artifacts": artifacts,
            "files": listing,
        }
        data = json.dumps(about, indent=1).encode()
        member = tarfile.TarInfo(MANIFEST)
        member.size, member.mode = len(data), 0o600
        tar.addfile(member, io.BytesIO(data))
    told(len(files), len(files), "")
    return Backup(str(about["time"]), releases, artifacts, len(files), sum(f["size"] for f in listing))


def restore(source: Path, root: Path, told: Told = lambda *_: None) -> Backup:
    """Make the store `root` from a backup; every file is compared with its digest before the store is there.

    Raises:
        StoreError: there is a store at `root`.
        IntegrityError: the backup is cut off or damaged; nothing is left at `root`.
    """
    if root.exists() and any(path.name != ".gitignore" for path in root.iterdir()):
        raise StoreError(f"there is a store at {root}", "move it away first: a backup never overwrites one")
    root.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{root.name}-", dir=root.parent))
    try:
        with disk_errors(f"{root} could not be restored"):
            found = _read(source, work, told)
            (work / ".gitignore").write_text("*\n")
            work.chmod(0o755)
            shutil.rmtree(root, ignore_errors=True)  # at most its .gitignore
            work.rename(root)
            sync_folder(root.parent)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return found


def _read(source: Path, work: Path, told: Told) -> Backup:
    try:
        with tarfile.open(source, "r:") as tar:
            for number, member in enumerate(tar):
                told(number, 0, member.name)
                if not member.isfile():
                    raise IntegrityError(f"{source.name}: {member.name!r} is no plain file")
                tar.extract(member, work, filter="data")
        about = json.loads((work / MANIFEST).read_bytes())
        listing = {str(f["path"]): f for f in about["files"]}
    except FileNotFoundError as error:
        raise IntegrityError(f"{source.name} is cut off: its manifest is missing", "use another backup") from error
    except (tarfile.TarError, ValueError, KeyError, TypeError, EOFError) as error:
        raise IntegrityError(f"{source.name} is no backup, or a damaged one: {error}", "use another backup") from error
    (work / MANIFEST).unlink()
    there = {path.relative_to(work).as_posix(): path for path in list_files(work)}
    for name in sorted({*listing, *there}):
        if name not in there or name not in listing:
            raise IntegrityError(f"{source.name}: {name} is {'missing' if name in listing else 'not listed'}")
        if digest_file(there[name]) != listing[name]["digest"]:
            raise IntegrityError(f"{source.name}: {name} is not as it was backed up", "use another backup")
    size = sum(int(f["size"]) for f in about["files"])
    return Backup(str(about["time"]), int(about["releases"]), int(about["artifacts"]), len(listing), size)
