"""Office files are ZIP archives: what is in one is looked at before any of it is unpacked."""

from __future__ import annotations

import io
import zipfile

from luodi.knowledge.reading.reading import Unreadable

MAX_ENTRIES = 20_000
MAX_UNPACKED = 400 << 20  # bytes, all entries together
MAX_XML = 200 << 20  # bytes of one part
MAX_RATIO = 300  # unpacked to packed, of an entry of a megabyte or more
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def open_package(data: bytes, main: str) -> io.BytesIO:
    """`data` as a file, once it is known to be a sound archive that holds the part `main`.

    Raises:
        Unreadable: encrypted, an old binary format, cut off, a bomb, or not what it is named.
    """
    if data.startswith(_OLE):
        raise Unreadable("encrypted with a password, or in the binary format of before 2007")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            names = {entry.filename for entry in entries}
            _check(entries)
            if main not in names:
                raise Unreadable(f"not the kind of file that it is named: {main} is not in it")
            for entry in entries:  # what a header claims can be a lie: count what really comes out
                _count(archive, entry)
    except (zipfile.BadZipFile, EOFError, OSError, ValueError, NotImplementedError, RuntimeError) as error:
        raise Unreadable(f"cut off or damaged: {error}") from error
    return io.BytesIO(data)


def _check(entries: list[zipfile.ZipInfo]) -> None:
    if len(entries) > MAX_ENTRIES:
        raise Unreadable(f"{len(entries):,} parts in one file; at most {MAX_ENTRIES:,} are read")
    if any(entry.flag_bits & 1 for entry in entries):
        raise Unreadable("encrypted")
    if sum(entry.file_size for entry in entries) > MAX_UNPACKED:
        raise Unreadable(f"unpacks to more than {MAX_UNPACKED >> 20} MB")
    for entry in entries:
        if entry.file_size > 1 << 20 and entry.file_size > MAX_RATIO * max(1, entry.compress_size):
            raise Unreadable(
                f"{entry.filename} unpacks to {entry.file_size // max(1, entry.compress_size):,} times its size"
            )


def _count(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> None:
    limit = MAX_XML if entry.filename.endswith((".xml", ".rels")) else MAX_UNPACKED
    if not entry.filename.endswith((".xml", ".rels")):
        return  # pictures and the like are not unpacked
    size = 0
    with archive.open(entry) as part:
        while piece := part.read(1 << 20):
            size += len(piece)
            if size > limit:
                raise Unreadable(f"{entry.filename} unpacks to more than {limit >> 20} MB")
            if b"<!DOCTYPE" in piece or b"<!ENTITY" in piece:
                raise Unreadable(f"{entry.filename} defines entities, which no office program writes")
