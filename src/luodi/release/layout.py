"""A release as an OCI image layout: what registries, `oras` and model servers read.

    oci-layout, index.json                       blobs/sha256/…
    the model manifest (CNCF ModelPack)          one layer a part, at its path
    the attestation, whose subject is the model  the signed statement

https://github.com/opencontainers/image-spec/blob/main/image-layout.md, https://github.com/modelpack/model-spec
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from luodi.errors import IntegrityError, ReleaseError
from luodi.release import statement
from luodi.store import canonical_json
from luodi.store.atomic import disk_errors
from luodi.store.digest import list_files, sha256_file

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
MODEL = "application/vnd.cncf.model.manifest.v1+json"
CONFIG = "application/vnd.cncf.model.config.v1+json"
ATTESTATION = "application/vnd.in-toto+json"
ENVELOPE = "application/vnd.dsse.envelope.v1+json"
EMPTY = "application/vnd.oci.empty.v1+json"
PATH = "org.cncf.model.filepath"
TITLE = "org.opencontainers.image.title"
_NAME = "org.opencontainers.image.ref.name"
_CHUNK = 1 << 20
_MOST = 4 << 20  # bytes of a manifest, as registries hold it
_NONE = b"{}"

Told = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class Blob:
    """A file of a layout, or bytes that will be one.

    Attributes:
        source: where the bytes are; None for `data`.
    """

    media_type: str
    digest: str
    size: int
    source: Path | None = None
    data: bytes = b""
    annotations: dict[str, str] | None = None

    def descriptor(self) -> dict[str, Any]:
        out: dict[str, Any] = {"mediaType": self.media_type, "digest": self.digest, "size": self.size}
        return out | ({"annotations": self.annotations} if self.annotations else {})


@dataclass(frozen=True, slots=True)
class Packed:
    """A release in OCI's terms: two manifests and the blobs that they name."""

    model: Blob
    attestation: Blob
    blobs: tuple[Blob, ...]


def media_type(path: str) -> str:
    """ModelPack's type of a part."""
    top, _, name = path.partition("/")
    kind = {"cards": "doc", "index": "dataset"}.get(top, "code")
    if top == "weights":
        kind = "weight" if name.endswith((".gguf", ".safetensors", ".onnx", ".bin")) else "weight.config"
    if path.startswith("passport."):
        kind = "doc"
    return f"application/vnd.cncf.model.{kind}.v1.raw"


def pack(folder: Path) -> Packed:
    """The bundle in `folder`, which holds a statement, in OCI's terms; the same for the same bundle."""
    parts = [p for p in list_files(folder) if p.relative_to(folder).as_posix() != statement.FILE]
    layers = []
    for path in parts:
        name = path.relative_to(folder).as_posix()
        about = {PATH: name, TITLE: name}
        layers.append(
            Blob(media_type(name), "sha256:" + sha256_file(path), path.stat().st_size, path, annotations=about)
        )
    passport = json.loads((folder / "passport.json").read_bytes())
    config = _bytes(CONFIG, canonical_json(_config(passport, layers)))
    model = _manifest(MODEL, config, layers, {"org.opencontainers.image.version": str(passport["version"])})
    envelope = folder / statement.FILE
    signed = Blob(
        ENVELOPE,
        "sha256:" + sha256_file(envelope),
        envelope.stat().st_size,
        envelope,
        annotations={TITLE: statement.FILE},
    )
    empty = _bytes(EMPTY, _NONE)
    attestation = _manifest(ATTESTATION, empty, [signed], {}, subject=model)
    return Packed(model, attestation, (config, *layers, empty, signed))


def _config(passport: dict[str, Any], layers: list[Blob]) -> dict[str, Any]:
    card = passport.get("cards", {}).get("model", {})
    languages = [code for code in passport["project"].get("languages", []) if len(code) == 2]
    licence = card.get("Licence of the base model", "")
    return {
        "descriptor": {
            "createdAt": passport["created"],
            "name": passport["name"],
            "version": str(passport["version"]),
            **({"licenses": [licence]} if licence else {}),
            **({"description": card["Intended use"]} if card.get("Intended use") else {}),
        },
        "config": {
            "architecture": "transformer",
            "format": "gguf",
            "capabilities": {"inputTypes": ["text"], "outputTypes": ["text"], "languages": languages},
        },
        "modelfs": {"type": "layers", "diffIds": [layer.digest for layer in layers]},
    }


def _bytes(media: str, data: bytes) -> Blob:
    return Blob(media, "sha256:" + hashlib.sha256(data).hexdigest(), len(data), data=data)


def _manifest(
    kind: str, config: Blob, layers: list[Blob], annotations: dict[str, str], subject: Blob | None = None
) -> Blob:
    body: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": kind,
        "config": config.descriptor(),
        "layers": [layer.descriptor() for layer in layers],
    }
    if annotations:
        body["annotations"] = annotations
    if subject is not None:
        body["subject"] = subject.descriptor()
    return _bytes(MANIFEST, canonical_json(body))


def write_layout(folder: Path, target: Path, told: Told = lambda *_: None) -> Packed:
    """Write the bundle in `folder` as a layout in `target`, which must not exist or be empty.

    Raises:
        ReleaseError: there is something in `target`.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ReleaseError(f"{target} is not empty", "name a folder that does not exist yet")
    packed = pack(folder)
    blobs = target / "blobs" / "sha256"
    with disk_errors(f"{target} could not be written"):
        blobs.mkdir(parents=True, exist_ok=True)
        every = (*packed.blobs, packed.model, packed.attestation)
        for number, blob in enumerate(every):
            told(number, len(every), (blob.annotations or {}).get(TITLE, ""))
            where = blobs / blob.digest.removeprefix("sha256:")
            if where.exists():
                continue
            if blob.source is None:
                where.write_bytes(blob.data)
            else:
                shutil.copyfile(blob.source, where)
        passport = json.loads((folder / "passport.json").read_bytes())
        named = packed.model.descriptor() | {
            "artifactType": MODEL, "annotations": {_NAME: f"{passport['name']}-{passport['version']}"}
        }  # fmt: skip
        attested = packed.attestation.descriptor() | {"artifactType": ATTESTATION}
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [named, attested]}
        (target / "index.json").write_bytes(canonical_json(index))
        # last: a folder without this file is no layout, so one that was cut off is not taken for whole
        (target / "oci-layout").write_bytes(canonical_json({"imageLayoutVersion": "1.0.0"}))
    told(len(every), len(every), "")
    return packed


class Layout:
    """A layout on disk, read with suspicion: nothing in it is believed before its digest is checked."""

    def __init__(self, root: Path) -> None:
        """Raises: IntegrityError if `root` holds no layout."""
        self._root = root
        if not (root / "oci-layout").is_file():
            raise IntegrityError(f"{root} is no OCI image layout: oci-layout is missing", "give the folder it lies in")
        index = _json(_small(root / "index.json"), "index.json")
        self.manifests = [m for m in _list(index, "manifests") if isinstance(m, dict)]

    def manifest(self, descriptor: dict[str, Any]) -> dict[str, Any]:
        """A manifest by its descriptor."""
        return _json(check_bytes(_small(self.path(descriptor)), descriptor), str(descriptor.get("digest")))

    def path(self, descriptor: dict[str, Any]) -> Path:
        """Where a blob lies."""
        return self._root / "blobs" / "sha256" / hex_of(descriptor)

    def fetch(self, descriptor: dict[str, Any], target: Path) -> None:
        """Copy a blob to `target`, and compare it with its digest and size on the way."""
        try:
            with self.path(descriptor).open("rb") as source:
                save(iter(lambda: source.read(_CHUNK), b""), descriptor, target)
        except FileNotFoundError as error:
            raise IntegrityError(f"blob {descriptor['digest'][:19]}… is missing from {self._root}") from error


def unpack(
    manifests: list[dict[str, Any]],
    manifest: Callable[[dict[str, Any]], dict[str, Any]],
    fetch: Callable[[dict[str, Any], Path], None],
    target: Path,
    told: Told = lambda *_: None,
) -> None:
    """Lay the parts of a release out in `target` as the bundle that they were packed from.

    Args:
        manifests: descriptors of what there is: one model, and its attestation.
        manifest: gives a manifest, checked against its descriptor.
        fetch: writes a blob, checked against its descriptor.

    Raises:
        IntegrityError: something is missing, is not what its digest says, or wants to be written elsewhere.
    """
    model, attestation = _both(manifests, manifest)
    config = model.get("config")
    if not isinstance(config, dict):
        raise IntegrityError("the model has no configuration")
    fetch(config, target / ".config")  # nothing here needs it; others do, and it must be what was packed
    (target / ".config").unlink()
    layers = [(_path(layer), layer) for layer in _list(model, "layers")]
    if len({name for name, _ in layers}) != len(layers):
        raise IntegrityError("two layers of the release have one path")
    signed = _list(attestation, "layers")
    if len(signed) != 1:
        raise IntegrityError("the attestation holds no single statement")
    layers.append((statement.FILE, signed[0]))
    for number, (name, layer) in enumerate(layers):
        told(number, len(layers), name)
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        fetch(layer, path)
    told(len(layers), len(layers), "")


def _both(
    manifests: list[dict[str, Any]], manifest: Callable[[dict[str, Any]], dict[str, Any]]
) -> tuple[dict[str, Any], dict[str, Any]]:
    found: list[tuple[dict[str, Any], dict[str, Any]]] = [(d, manifest(d)) for d in manifests]
    models = [(d, m) for d, m in found if m.get("artifactType") == MODEL]
    if len(models) != 1:
        raise IntegrityError(f"{len(models)} models where one release is expected", "export one release a folder")
    descriptor, model = models[0]
    for _, other in found:
        subject = other.get("subject")
        mine = isinstance(subject, dict) and subject.get("digest") == descriptor.get("digest")
        if mine and other.get("artifactType") == ATTESTATION:
            return model, other
    raise IntegrityError(
        "the release carries no attestation", "only what `luodi release export` or `push` made has one"
    )


def _path(layer: dict[str, Any]) -> str:
    """The path of a part, which must lie below the bundle."""
    annotations = layer.get("annotations")
    name = annotations.get(PATH) if isinstance(annotations, dict) else None
    pure = PurePosixPath(str(name or ""))
    if not name or pure.is_absolute() or ".." in pure.parts or str(pure) != name or "\\" in name or "\0" in name:
        raise IntegrityError(f"a layer has the path {name!r}, which is none below the release")
    if pure.parts[0] == statement.FILE:
        raise IntegrityError(f"{statement.FILE} is no part of a release")
    return str(name)


def hex_of(descriptor: dict[str, Any]) -> str:
    """The 64 hex digits of a descriptor's digest. Raises: IntegrityError if it has none."""
    kind, _, digits = str(descriptor.get("digest", "")).partition(":")
    if kind != "sha256" or len(digits) != 64 or set(digits) - set("0123456789abcdef"):
        raise IntegrityError(f"{descriptor.get('digest')!r} is no SHA-256 digest")
    return digits


def check_bytes(data: bytes, descriptor: dict[str, Any]) -> bytes:
    """`data`, if it is what the descriptor says."""
    if hashlib.sha256(data).hexdigest() != hex_of(descriptor):
        raise IntegrityError(f"blob sha256:{hex_of(descriptor)[:12]}… is not what its digest says")
    return data


def save(chunks: Iterator[bytes], descriptor: dict[str, Any], target: Path) -> None:
    """Write a blob, compare it with its size and digest while it passes, and leave nothing if it differs."""
    state, size, wanted = hashlib.sha256(), 0, descriptor.get("size")
    temporary = target.with_name(f".{target.name}.part")
    try:
        with disk_errors(f"{target} could not be written"), temporary.open("wb") as file:
            for chunk in chunks:
                size += len(chunk)
                if isinstance(wanted, int) and size > wanted:
                    break
                state.update(chunk)
                file.write(chunk)
        if size != wanted:
            much = f"more than the {wanted} bytes" if size > (wanted or 0) else f"{size} of {wanted} bytes"
            raise IntegrityError(f"{target.name}: has {much} that it should have")
        if state.hexdigest() != hex_of(descriptor):
            raise IntegrityError(f"{target.name}: changed since the release was packed")
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _small(path: Path) -> bytes:
    try:
        if path.stat().st_size > _MOST:
            raise IntegrityError(f"{path.name} is larger than a manifest may be")
        return path.read_bytes()
    except OSError as error:
        raise IntegrityError(f"{path.name} can't be read: {error.strerror}") from error


def _json(data: bytes, name: str) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except ValueError as error:
        raise IntegrityError(f"{name} is no JSON: {error}") from error
    if not isinstance(value, dict):
        raise IntegrityError(f"{name} is no manifest")
    return value


def _list(value: dict[str, Any], key: str) -> list[dict[str, Any]]:
    found = value.get(key)
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise IntegrityError(f"a manifest has no list of {key}")
    return found
