"""Documents of a source: files decoded, or set aside with a reason."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from luodi.knowledge.reading import Unreadable, is_file_format, read_file, reader_of
from luodi.pipeline.sources import MAX_FILE, Progress, read_source
from luodi.project import Source
from luodi.store import digest_bytes, short_id, write_bytes

MAX_LINE = 1 << 20  # characters; a longer line is data or a mistake, and no reader is built for it


@dataclass(frozen=True, slots=True)
class Document:
    """One file. `problem` says why it is set aside; then `text` is empty.

    `meta`: what the reader of its format tells beside the text (`Reading.meta`); empty for plain text.
    """

    source: str
    path: str
    text: str
    digest: str
    problem: str = ""
    meta: dict[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return short_id(self.digest, self.source, self.path)


def read_documents(
    source: Source, *, project: Path, downloads: Path, progress: Progress, cache: Path | None = None
) -> Iterator[Document]:
    """All documents of `source`, in the order of their paths. Raises: SourceError as `read_source`.

    `cache` is a folder of files read before: what did not change is not read again.
    """
    for path, data in read_source(source, project=project, downloads=downloads, progress=progress):
        yield read_one(source.source, path, data, cache)


def read_one(source: str, path: str, data: bytes, cache: Path | None = None) -> Document:
    """One file as a document; `problem` says why it can't be one."""
    digest = digest_bytes(data)
    if not data.strip():
        return Document(source, path, "", digest, "empty file")
    if len(data) > MAX_FILE:
        return Document(source, path, "", digest, f"larger than {MAX_FILE >> 20} MB")
    if is_file_format(path):
        text, problem, meta = _kept(path, data, digest, cache)
        return Document(source, path, text, digest, problem, meta)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        return Document(source, path, "", digest, f"not UTF-8 (line {line}, byte {data[error.start]:#04x})")
    if "\0" in text:
        return Document(source, path, "", digest, "binary file")
    if max(map(len, text.splitlines()), default=0) > MAX_LINE:
        return Document(source, path, "", digest, f"a line longer than {MAX_LINE >> 20} M characters")
    return Document(source, path, text, digest)


def _kept(path: str, data: bytes, digest: str, cache: Path | None) -> tuple[str, str, dict[str, Any]]:
    """(text, problem, meta) of a file that a reader is needed for; from `cache`, if it was read before."""
    file = cache / "readings" / f"{short_id(digest, reader_of(path))}.json.zlib" if cache is not None else None
    if file is not None and file.is_file():
        with suppress(OSError, ValueError, zlib.error):  # a broken one is made again
            text, problem, meta = json.loads(zlib.decompress(file.read_bytes()))
            return text, problem, meta
    try:
        reading = read_file(path, data)
        made: tuple[str, str, dict[str, Any]] = (reading.text, "", reading.meta())
    except Unreadable as error:
        made = ("", str(error), {})
    if file is not None:
        write_bytes(file, zlib.compress(json.dumps(made).encode(), 6))
    return made
