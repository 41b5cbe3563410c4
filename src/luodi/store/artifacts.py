"""Artifacts: immutable folders named by the digest of their content.

    artifacts/ab/abcd…/manifest.json     kind, stage, time, and every file with its size and digest
    artifacts/ab/abcd…/files/…           the content

The digest covers the content only, so the same content made twice is one artifact.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from luodi.errors import IntegrityError, StoreError
from luodi.store.atomic import disk_errors, sync_folder, write_json
from luodi.store.digest import digest_file, digest_tree, list_files


@dataclass(frozen=True, slots=True)
class Artifact:
    digest: str
    root: Path

    @property
    def files(self) -> Path:
        """The folder with the content."""
        return self.root / "files"

    def manifest(self) -> dict[str, Any]:
        try:
            loaded: dict[str, Any] = json.loads((self.root / "manifest.json").read_bytes())
        except (OSError, ValueError) as error:
            raise IntegrityError(
                f"artifact {self.digest[:12]}: manifest.json can't be read: {error}",
                "`luodi store verify --repair` drops it; the next run makes it again",
            ) from error
        return loaded


def _is_plain(path: Path) -> bool:
    return stat.S_ISREG(path.lstat().st_mode)


def _plain_files(folder: Path) -> Iterator[Path]:
    for path in list_files(folder):
        if not _is_plain(path):
            raise StoreError(f"{path} is a link or a device; artifacts hold plain files only")
        yield path


def list_content(folder: Path) -> list[dict[str, Any]]:
    """Path, size and digest of every file below `folder`. Raises: StoreError at a link or a device."""
    return [
        {"path": p.relative_to(folder).as_posix(), "size": p.stat().st_size, "digest": digest_file(p)}
        for p in _plain_files(folder)
    ]


class Artifacts:
    """The artifacts below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, digest: str) -> Path:
        return self.root / digest[:2] / digest

    def __contains__(self, digest: str) -> bool:
        return (self.path(digest) / "manifest.json").is_file()

    def get(self, digest: str) -> Artifact:
        """Raises: StoreError if there is no such artifact."""
        if digest not in self:
            raise StoreError(f"the store has no artifact {digest!r}", "`luodi store ls` lists what it has")
        return Artifact(digest, self.path(digest))

    def find(self, prefix: str) -> Artifact:
        """The one artifact whose digest starts with `prefix` (four characters or more)."""
        if len(prefix) < 4:
            raise StoreError(f"{prefix!r} is too short for an artifact", "give four characters or more")
        found = [a for a in self.all() if a.digest.startswith(prefix)]
        if len(found) != 1:
            what = "no artifact" if not found else f"{len(found)} artifacts"
            raise StoreError(f"{what} start with {prefix!r}", "`luodi store ls` lists what there is")
        return found[0]

    def all(self) -> Iterator[Artifact]:
        for folder in sorted(self.root.glob("??/*")):
            if (folder / "manifest.json").is_file():
                yield Artifact(folder.name, folder)

    def add(self, folder: Path, *, kind: str, about: dict[str, Any]) -> Artifact:
        """Take the content of `folder` (which is moved) into the store.

        Every file is hashed, made read-only and synced before the artifact gets its name, so an artifact
        that can be found is whole.
        """
        with disk_errors("the artifact could not be stored"):
            for path in _plain_files(folder):
                path.chmod(0o444)
                with path.open("rb") as file:
                    os.fsync(file.fileno())
            listing = list_content(folder)
            digest = digest_tree(listing)
            target = self.path(digest)
            if digest in self:
                shutil.rmtree(folder)
                return Artifact(digest, target)
            staged = folder.with_name(folder.name + ".staged")
            staged.mkdir()
            folder.rename(staged / "files")
            manifest = {
                "kind": kind,
                "digest": digest,
                "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                "files": listing,
            }
            write_json(staged / "manifest.json", manifest | about)
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.exists():  # a folder without a manifest: what a kill between two renames leaves
                shutil.rmtree(target)
            staged.rename(target)
            sync_folder(target.parent)
        return Artifact(digest, target)

    def problems(self, artifact: Artifact) -> list[str]:
        """What is wrong with the content of an artifact: nothing, if it is as its digest says."""
        try:
            listing = artifact.manifest()["files"]
            known = {entry["path"]: entry["digest"] for entry in listing}
            wrong = [] if digest_tree(listing) == artifact.digest else ["manifest.json: changed"]
        except IntegrityError as error:
            return [error.message]
        except (KeyError, TypeError, ValueError):
            return ["manifest.json: changed"]
        for path in list_files(artifact.files):
            name = path.relative_to(artifact.files).as_posix()
            digest = known.pop(name, None)
            if digest is None:
                wrong.append(f"{name}: not part of the artifact")
            elif not _is_plain(path):
                wrong.append(f"{name}: replaced by a link or a device")
            elif digest_file(path) != digest:
                wrong.append(f"{name}: changed")
        return wrong + [f"{name}: missing" for name in known]

    def verify(self, artifact: Artifact) -> None:
        """Raises: IntegrityError naming the first file that is not as it was stored."""
        wrong = self.problems(artifact)
        if wrong:
            raise IntegrityError(
                f"artifact {artifact.digest[:12]}: {wrong[0]}" + (f" (and {len(wrong) - 1} more)" if wrong[1:] else ""),
                "`luodi store verify --repair` drops what is damaged; the next run makes it again",
            )

    def remove(self, artifact: Artifact) -> int:
        """Remove an artifact; returns the bytes it freed."""
        size = sum(p.lstat().st_size for p in list_files(artifact.root))
        # The manifest goes first: from then on the artifact does not exist, whatever a kill leaves of it.
        (artifact.root / "manifest.json").unlink(missing_ok=True)
        shutil.rmtree(artifact.root)
        return size
