"""Get one file of a package: from a folder where it already lies, or through pip from the registry it is set up for."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from luodi.errors import SourceError
from luodi.store.atomic import disk_errors, sync_folder

Kind = Literal["sdist", "wheel"]
Progress = Callable[[int, int], None]

_SPEC = re.compile(r"([A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?)==([A-Za-z0-9][\w.+!-]*)", re.ASCII)
_SUFFIXES: dict[Kind, tuple[str, ...]] = {"sdist": (".tar.gz", ".zip"), "wheel": (".whl",)}
_TIMEOUT = 900  # seconds for one package


@dataclass(frozen=True, slots=True)
class FetchedFile:
    """A file of a package on this disk; `sha256` (64 hex digits) was computed from its bytes."""

    path: Path
    name: str
    version: str
    sha256: str


def fetch_package(
    spec: str, *, kind: Kind, sha256: str | None, into: Path, progress: Progress | None = None
) -> FetchedFile:
    """Put one file of a package release into the folder `into`.

    A file with the pinned digest that is in `into` already, or in a find-links folder of pip's configuration, needs
    no network. Otherwise pip fetches it, so that mirrors, proxies and credentials work as they do for everything
    else. For an sdist pip runs the package's build code to learn its metadata; so an sdist must be pinned, and pip
    checks the digest before it opens the file.

    Args:
        spec: name and exact version, "django==5.2.19".
        sha256: the pinned digest, 64 hex digits; None takes the registry's word for a wheel.
        progress: called with (0, 0) at the start and (bytes, bytes) at the end; pip does not say more.

    Raises:
        SourceError: a spec that is not exact, no pin for an sdist, no such release, no registry reached, or a
            digest that does not match (nothing is kept).
    """
    match = _SPEC.fullmatch(spec.strip())
    if match is None:
        raise SourceError(f"{spec!r} does not name one exact version", "write it like 'django==5.2.19'")
    name, version = match[1], match[2]
    if kind == "sdist" and sha256 is None:
        raise SourceError(
            f"{spec}: a source distribution needs its sha256, since fetching it runs its build code",
            "add `sha256: …` beside the source; `pip hash FILE` prints it",
        )
    if progress:
        progress(0, 0)
    for path in _lying_around(name, version, kind, into):
        if sha256 and _sha256(path) == sha256:
            if path.parent != into:
                path = _keep(path, into / path.name)
            break
    else:
        path = _with_pip(name, version, kind, sha256, into)
    if progress:
        progress(path.stat().st_size, path.stat().st_size)
    return FetchedFile(path, name, version, sha256 or _sha256(path))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _lying_around(name: str, version: str, kind: Kind, into: Path) -> Iterator[Path]:
    """Files of this release in `into` and in the folders that pip is told to look in."""
    folders = [into, *(Path(f) for f in os.environ.get("PIP_FIND_LINKS", "").split() if "://" not in f)]
    for folder in folders:
        for path in sorted(folder.glob("*")) if folder.is_dir() else ():
            if path.name.endswith(_SUFFIXES[kind]) and _is_release(path.name, name, version, kind):
                yield path


def _is_release(filename: str, name: str, version: str, kind: Kind) -> bool:
    if kind == "wheel":
        parts = filename.split("-")
        return len(parts) >= 5 and _normal(parts[0]) == _normal(name) and parts[1] == version
    stem = filename.removesuffix(".tar.gz").removesuffix(".zip")
    head, _, tail = stem.rpartition("-")
    return _normal(head) == _normal(name) and tail == version


def _keep(path: Path, target: Path) -> Path:
    """Copy a file into place at once."""
    with disk_errors(f"{target} could not be written"):
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{target.name}.partial")
        try:
            shutil.copyfile(path, partial)
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
        sync_folder(target.parent)
    return target


def _with_pip(name: str, version: str, kind: Kind, sha256: str | None, into: Path) -> Path:
    which = ["--only-binary", ":all:"] if kind == "wheel" else ["--no-binary", ":all:"]
    pin = f" --hash=sha256:{sha256}" if sha256 else ""
    with tempfile.TemporaryDirectory() as folder:
        # A requirements file, since only there pip takes a digest; with one, it refuses what does not match.
        requirement = Path(folder, "requirement.txt")
        requirement.write_text(f"{name}=={version}{pin}\n")
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            *which,
        ]
        command += ["--dest", f"{folder}/got", "--requirement", str(requirement)]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=_TIMEOUT, stdin=subprocess.DEVNULL, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise SourceError(
                f"{name}=={version} could not be fetched in {_TIMEOUT} s", _offline(name, version, kind, sha256, into)
            ) from error
        if done.returncode != 0:
            raise SourceError(
                f"{name}=={version} could not be fetched: {_reason(done.stderr)}",
                _offline(name, version, kind, sha256, into),
            )
        got = sorted(Path(folder, "got").iterdir())
        return _keep(got[0], into / got[0].name)


def _reason(output: str) -> str:
    """What pip says is wrong, in a line."""
    if "DO NOT MATCH THE HASHES" in output:
        return "its digest is not the pinned one; nothing was kept"
    lines = [line.removeprefix("ERROR:").strip() for line in output.splitlines() if line.startswith("ERROR:")]
    return lines[-1][:300] if lines else (output.strip().splitlines() or ["pip failed"])[-1][:300]


def _offline(name: str, version: str, kind: Kind, sha256: str | None, into: Path) -> str:
    example = f"{name}-{version}.tar.gz" if kind == "sdist" else f"{name.replace('-', '_')}-{version}-….whl"
    where = f"into {into}, or into" if sha256 else "into"  # without a pin only pip's own folders are looked in
    return f"without a registry: put {example} {where} a folder named by PIP_FIND_LINKS"
