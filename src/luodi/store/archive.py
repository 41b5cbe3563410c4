"""A read-only look into the archives that packages come in. Nothing is unpacked by name and nothing of it is run."""

from __future__ import annotations

import lzma
import os
import re
import shutil
import stat
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeVar

from luodi.errors import SourceError

_T = TypeVar("_T")

MEMBER_LIMIT = 200 * 1024**2  # bytes
TOTAL_LIMIT = 4 * 1024**3  # bytes
_CHUNK = 1 << 18


class _Spool:
    """The bytes of a tar's members one after another, in a temporary file without a name.

    A .tar.gz can only be read forwards; from here a member costs one read. The file goes with the object.
    """

    def __init__(self) -> None:
        with tempfile.TemporaryFile() as file:
            self.descriptor = os.dup(file.fileno())

    def __del__(self) -> None:
        os.close(self.descriptor)


@dataclass(frozen=True, slots=True)
class Archive:
    """A read-only view of an archive's files; nothing is unpacked by name."""

    path: Path
    _sizes: dict[str, int]
    _read: Callable[[str, int], bytes]

    def names(self) -> list[str]:
        """The files, sorted; an sdist's without its top folder ("django-5.2.19/")."""
        return sorted(self._sizes)

    def glob(self, pattern: str) -> list[str]:
        """The names that match: `*` and `?` stay in one folder, `**/` is any number of folders."""
        parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
        signs = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
        matcher = re.compile("".join(signs.get(part) or re.escape(part) for part in parts))
        return [name for name in self.names() if matcher.fullmatch(name)]

    def read(self, name: str, limit: int = MEMBER_LIMIT) -> bytes:
        """A file's bytes.

        Raises:
            SourceError: no such file, one larger than `limit` bytes, or a damaged archive.
        """
        if name not in self._sizes:
            raise SourceError(f"{self.path.name!r} has no file {name!r}", "names() lists what it has")
        if self._sizes[name] > limit:
            raise SourceError(f"{name!r} in {self.path.name!r} has {self._sizes[name]} bytes, limit {limit}")
        return _guarded(self.path, lambda: self._read(name, limit))


def open_archive(path: Path) -> Archive:
    """Look into a .tar.gz, .zip or .whl without unpacking it.

    Raises:
        SourceError: not such an archive, a damaged one, one with an absolute path, "..", a link or a device
            in it, or with more than 4 GB of files. A file of more than 200 MB is refused when it is read.
    """
    return _guarded(path, lambda: _zip(path) if path.suffix in (".zip", ".whl") else _tar(path))


def _guarded(path: Path, action: Callable[[], _T]) -> _T:
    try:
        return action()
    except (
        OSError,
        EOFError,
        ValueError,
        struct.error,
        lzma.LZMAError,
        tarfile.TarError,
        zipfile.BadZipFile,
        zlib.error,
        RuntimeError,
        TypeError,  # of tarfile, over a gzip header of three bytes
    ) as error:
        raise SourceError(f"{str(path)!r} could not be read as an archive: {error}", "fetch it again") from error


def _tar(path: Path) -> Archive:
    spool, places = _Spool(), dict[str, tuple[int, int]]()
    with tarfile.open(path, "r|gz") as tar, os.fdopen(os.dup(spool.descriptor), "wb") as out:
        total = 0
        for member in tar:
            total += member.size
            _check(path, member.name, plain=member.isreg() or member.isdir(), total=total)
            source = tar.extractfile(member) if member.isreg() else None
            if source is not None:
                places[_clean(member.name)] = (out.tell(), member.size)
                shutil.copyfileobj(source, out)
    names = _shortened(list(places))

    def read(name: str, limit: int) -> bytes:
        offset, size = places[names[name]]
        return b"".join(
            os.pread(spool.descriptor, min(_CHUNK, offset + size - at), at)
            for at in range(offset, offset + size, _CHUNK)
        )

    return Archive(path, {short: places[name][1] for short, name in names.items()}, read)


def _zip(path: Path) -> Archive:
    archive = zipfile.ZipFile(path)  # closes with the Archive that reads from it
    total, infos = 0, dict[str, zipfile.ZipInfo]()
    for info in archive.infolist():
        total += info.file_size
        kind = stat.S_IFMT(info.external_attr >> 16)
        _check(path, info.filename, plain=kind in (0, stat.S_IFREG, stat.S_IFDIR), total=total)
        if not info.is_dir():
            infos[_clean(info.filename)] = info
    names = {name: name for name in infos} if path.suffix == ".whl" else _shortened(list(infos))

    def read(name: str, limit: int) -> bytes:
        with archive.open(infos[names[name]]) as member:
            return member.read(limit)

    return Archive(path, {short: infos[name].file_size for short, name in names.items()}, read)


def _clean(name: str) -> str:
    return str(PurePosixPath(name))


def _check(path: Path, name: str, *, plain: bool, total: int) -> None:
    if not plain:
        raise SourceError(f"{path.name!r} holds {name!r}, which is a link or a device: refused")
    if name.startswith("/") or ".." in PurePosixPath(name).parts:
        raise SourceError(f"{path.name!r} holds {name!r}, which leaves its folder: refused")
    if total > TOTAL_LIMIT:
        raise SourceError(f"{path.name!r} holds more than {TOTAL_LIMIT} bytes: refused")


def _shortened(names: list[str]) -> dict[str, str]:
    """Names without an sdist's one top folder, and what they stand for."""
    tops = {name.partition("/")[0] for name in names}
    top = tops.pop() + "/" if len(tops) == 1 else ""
    strip = bool(re.match(r".+-\d", top)) and all(name.startswith(top) for name in names)
    return {name.removeprefix(top) if strip else name: name for name in names}
