"""Carry a release from one store to another: a folder in OCI's layout, a tar file of it, or a registry."""

from __future__ import annotations

import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from luodi.errors import IntegrityError, ReleaseError
from luodi.release.formats import check_formats
from luodi.release.layout import Layout, Packed, Told, unpack, write_layout
from luodi.release.registry import Registry, Release
from luodi.release.remote import Remote
from luodi.release.verify import verify, verify_folder
from luodi.store import Store
from luodi.store.atomic import disk_errors
from luodi.store.digest import digest_tree

_LARGEST = 1 << 40  # bytes of a tar file's members together


def export(release: Release, store: Store, target: Path, told: Told = lambda *_: None) -> Packed:
    """Write a verified release to `target`: a folder, or one file if its name ends with .tar.

    Raises:
        ReleaseError: there is something already.
    """
    folder = verify(release, store, allow_failing=True).folder
    if target.suffix != ".tar":
        return write_layout(folder, target, told)
    if target.exists():
        raise ReleaseError(f"{target} is there already", "name a file that does not exist yet")
    with _room(store) as room, disk_errors(f"{target} could not be written"):
        packed = write_layout(folder, room / "layout", told)
        temporary = target.with_name(f".{target.name}.part")
        try:
            with tarfile.open(temporary, "w", format=tarfile.PAX_FORMAT) as tar:
                for path in sorted((room / "layout").rglob("*")):
                    if path.is_file():
                        tar.add(path, path.relative_to(room / "layout").as_posix(), filter=_plain)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
    return packed


def bring(source: Path, store: Store, actor: str, told: Told = lambda *_: None) -> Release:
    """Take a release from a folder or tar file into `store`. Nothing of it stays if it can't be verified.

    Raises:
        IntegrityError: it is damaged, or no key that this store trusts signed it.
        ReleaseError: another release has its name and version.
    """
    if not source.exists():
        raise ReleaseError(f"{source} is not there")
    with _room(store) as room:
        if source.is_file():
            _extract(source, room / "layout")
            source = room / "layout"
        layout = Layout(source)
        return _take(store, room, layout.manifests, layout.manifest, layout.fetch, actor, told)


def push(release: Release, store: Store, remote: Remote, told: Told = lambda *_: None) -> str:
    """Upload a verified release; returns the digest of its manifest."""
    from luodi.release.layout import pack

    return remote.push(pack(verify(release, store, allow_failing=True).folder), told)


def pull(remote: Remote, store: Store, actor: str, told: Told = lambda *_: None) -> Release:
    """Download a release into `store`, as `bring` does."""
    with _room(store) as room:
        return _take(store, room, remote.manifests(), remote.manifest, remote.fetch, actor, told)


def _take(
    store: Store,
    room: Path,
    manifests: list[dict[str, Any]],
    manifest: Callable[[dict[str, Any]], dict[str, Any]],
    fetch: Callable[[dict[str, Any], Path], None],
    actor: str,
    told: Told,
) -> Release:
    bundle = room / "bundle"
    bundle.mkdir()
    unpack(manifests, manifest, fetch, bundle, told)
    predicate, signer, listing = verify_folder(bundle, store)
    check_formats(bundle)
    name, version = str(predicate["name"]), int(predicate["version"])
    digest, registry = digest_tree(listing), Registry(store)
    registry.register(name, version, digest, predicate["verdict"], actor, brought_from=signer)
    store.artifacts.add(bundle, kind="release", about={"stage": "release", "key": "", "parts": {}})
    return registry.find(f"{name}@{version}")


@contextmanager
def _room(store: Store) -> Iterator[Path]:
    """A folder on the store's own disk, gone afterwards."""
    room = Path(tempfile.mkdtemp(prefix="carry-", dir=store.folder("work")))
    try:
        yield room
    finally:
        shutil.rmtree(room, ignore_errors=True)


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """The same file for everybody: no names, no times."""
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    member.mode = 0o644
    return member


def _extract(source: Path, target: Path) -> None:
    try:
        with tarfile.open(source, "r:") as tar:
            size = 0
            for member in tar:
                size += member.size
                if not (member.isfile() or member.isdir()) or size > _LARGEST:
                    raise IntegrityError(f"{source.name}: {member.name!r} is no plain file, or too large")
                tar.extract(member, target, filter="data")
    except tarfile.TarError as error:
        raise IntegrityError(f"{source.name} is no tar file of a release: {error}") from error
