"""A release leaves as an OCI image layout, and comes in again as what it was; what was touched on the way is refused."""

from __future__ import annotations

import hashlib
import json
import shutil
import tarfile
from pathlib import Path

import pytest

from luodi.errors import IntegrityError, LuodiError, ReleaseError
from luodi.release import Registry, Release, verify
from luodi.release.carry import bring, export
from luodi.release.layout import ATTESTATION, MODEL, PATH, Layout, pack
from luodi.store import Store
from luodi.testing import tiny_release


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, Release]:
    store = Store(tmp_path_factory.mktemp("made") / "store")
    return store, tiny_release(store)


@pytest.fixture
def layout(made: tuple[Store, Release], tmp_path: Path) -> Path:
    export(made[1], made[0], tmp_path / "out")
    return tmp_path / "out"


@pytest.fixture
def other(made: tuple[Store, Release], tmp_path: Path) -> Store:
    """A second store that trusts the first."""
    store = Store(tmp_path / "other")
    key, owner = next(iter(made[0].keys.trusted().values()))
    store.keys.trust(key, owner)
    return store


def model(layout: Path) -> tuple[dict, dict]:
    index = json.loads((layout / "index.json").read_bytes())
    found = Layout(layout)
    return index, found.manifest(index["manifests"][0])


def blob(layout: Path, digest: str) -> Path:
    return layout / "blobs" / "sha256" / digest.removeprefix("sha256:")


def test_every_blob_is_what_its_name_says(layout):
    blobs = list((layout / "blobs" / "sha256").iterdir())
    assert len(blobs) > 15
    assert all(hashlib.sha256(b.read_bytes()).hexdigest() == b.name for b in blobs)
    index, manifest = model(layout)
    assert [m["artifactType"] for m in index["manifests"]] == [MODEL, ATTESTATION]
    assert manifest["artifactType"] == MODEL
    types = {layer["annotations"][PATH]: layer["mediaType"] for layer in manifest["layers"]}
    assert types["weights/large.gguf"].endswith("model.weight.v1.raw")
    assert types["weights/luodi-model.json"].endswith("weight.config.v1.raw")
    assert types["cards/model-card.md"].endswith("doc.v1.raw")
    assert "statement.json" not in types
    attestation = Layout(layout).manifest(index["manifests"][1])
    assert attestation["subject"]["digest"] == index["manifests"][0]["digest"]


def test_the_same_release_is_packed_the_same(made):
    store, release = made
    folder = store.artifacts.get(release.digest).files
    assert pack(folder).model == pack(folder).model


@pytest.mark.parametrize("name", ["out", "out.tar"])
def test_a_release_comes_in_as_it_left(made, other, tmp_path, name):
    export(made[1], made[0], tmp_path / name)
    release = bring(tmp_path / name, other, "me@here")
    assert (release.digest, release.name, release.version) == (made[1].digest, made[1].name, made[1].version)
    assert release.channels == ("candidate",)
    assert verify(release, other).parts == verify(made[1], made[0]).parts
    assert not list(other.folder("work").iterdir())
    again = bring(tmp_path / name, other, "me@here")  # brought twice: the same
    assert again.digest == release.digest and len(Registry(other).all()) == 1


def test_a_stranger_s_release_is_not_taken(layout, tmp_path):
    store = Store(tmp_path / "stranger")
    with pytest.raises(IntegrityError, match="does not trust"):
        bring(layout, store, "me")
    assert not Registry(store).all() and not list(store.artifacts.all())


def test_another_release_of_the_same_name_is_not_overwritten(layout, other):
    mine = tiny_release(other, documents={"Mine": "This is a release of my own."})
    with pytest.raises(ReleaseError, match="already there"):
        bring(layout, other, "me")
    assert [r.digest for r in Registry(other).all()] == [mine.digest]


def test_a_flipped_byte_in_any_blob_is_found(layout, other):
    for path in sorted((layout / "blobs" / "sha256").iterdir()):
        kept = path.read_bytes()
        path.chmod(0o644)
        path.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
        if kept == b"{}":  # the empty configuration of the attestation is not read
            path.write_bytes(kept)
            continue
        with pytest.raises(IntegrityError):
            bring(layout, other, "me")
        path.write_bytes(kept)
    assert bring(layout, other, "me").verdict == "pass"


def test_a_truncated_or_missing_blob_is_named(layout, other):
    _, manifest = model(layout)
    weights = next(d for d in manifest["layers"] if d["annotations"][PATH] == "weights/large.gguf")
    path = blob(layout, weights["digest"])
    kept = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(kept[:7])
    with pytest.raises(IntegrityError, match=rf"large\.gguf: has 7 of {len(kept)} bytes"):
        bring(layout, other, "me")
    path.unlink()
    with pytest.raises(IntegrityError, match="is missing"):
        bring(layout, other, "me")


def rewrite(layout: Path, change) -> None:
    """Change the model's manifest, and all digests that follow from it: what an attacker would do."""
    index, manifest = model(layout)
    attestation = Layout(layout).manifest(index["manifests"][1])
    change(manifest)
    for at, body in ((0, manifest), (1, attestation)):
        data = json.dumps(body).encode()
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        blob(layout, digest).write_bytes(data)
        index["manifests"][at] |= {"digest": digest, "size": len(data)}
        if at == 0:
            attestation["subject"] |= {"digest": digest, "size": len(data)}
    (layout / "index.json").write_text(json.dumps(index))


@pytest.mark.parametrize("path", ["../out.txt", "/etc/passwd", "a/../../b", "statement.json", "", "a\\b", "./x"])
def test_a_part_that_wants_to_lie_elsewhere_is_refused(layout, other, path):
    rewrite(layout, lambda m: m["layers"][0]["annotations"].update({PATH: path}))
    with pytest.raises(IntegrityError):
        bring(layout, other, "me")
    assert not Registry(other).all()


def test_a_swapped_part_is_refused_although_all_digests_fit(layout, other):
    def swap(manifest: dict) -> None:
        a, b = (
            next(d for d in manifest["layers"] if d["annotations"][PATH] == n) for n in ("policy.json", "serve.json")
        )
        a["annotations"], b["annotations"] = b["annotations"], a["annotations"]

    rewrite(layout, swap)
    with pytest.raises(IntegrityError, match="changed since the release was signed"):
        bring(layout, other, "me")


def test_a_part_left_out_is_refused(layout, other):
    rewrite(layout, lambda m: m["layers"].pop(0))
    with pytest.raises(IntegrityError, match="missing from the release"):
        bring(layout, other, "me")


def test_no_attestation_no_release(layout, other):
    index = json.loads((layout / "index.json").read_bytes())
    index["manifests"].pop()
    (layout / "index.json").write_text(json.dumps(index))
    with pytest.raises(IntegrityError, match="no attestation"):
        bring(layout, other, "me")


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"manifests": 3}', b'{"manifests": [{}]}', b"\xff", b"["])
def test_a_broken_index_is_told(layout, other, content):
    (layout / "index.json").write_bytes(content)
    with pytest.raises(LuodiError):
        bring(layout, other, "me")


def test_a_folder_that_is_no_layout(tmp_path, other):
    (tmp_path / "empty").mkdir()
    with pytest.raises(IntegrityError, match="no OCI image layout"):
        bring(tmp_path / "empty", other, "me")
    with pytest.raises(ReleaseError, match="not there"):
        bring(tmp_path / "nowhere", other, "me")


def test_a_tar_with_a_link_is_refused(layout, other, tmp_path):
    with tarfile.open(tmp_path / "evil.tar", "w") as tar:
        tar.add(layout, ".")
        link = tarfile.TarInfo("blobs/link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc"
        tar.addfile(link)
    with pytest.raises(IntegrityError, match="no plain file"):
        bring(tmp_path / "evil.tar", other, "me")
    (tmp_path / "text.tar").write_text("no tar")
    with pytest.raises(IntegrityError, match="no tar file"):
        bring(tmp_path / "text.tar", other, "me")


def test_nothing_is_overwritten(made, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(ReleaseError, match="not empty"):
        export(made[1], made[0], tmp_path / "full")
    (tmp_path / "a.tar").write_text("mine")
    with pytest.raises(ReleaseError, match="is there already"):
        export(made[1], made[0], tmp_path / "a.tar")
    assert (tmp_path / "a.tar").read_text() == "mine"


def test_a_release_with_code_in_it_is_not_taken(made, tmp_path, other):
    """Signed by somebody who is trusted, and yet a pickle."""
    store = Store(tmp_path / "third")
    shutil.copytree(made[0].root / "keys", store.root / "keys")
    release = tiny_release(store)
    folder = tmp_path / "bundle"
    shutil.copytree(store.artifacts.get(release.digest).files, folder)
    (folder / "weights" / "adapter.bin").write_bytes(b"\x80\x04K\x01.")
    from luodi.release import statement
    from luodi.release.layout import write_layout
    from luodi.store.artifacts import list_content

    (folder / "statement.json").unlink()
    predicate = {"name": "helpdesk", "version": 1, "verdict": "pass", "gates": []}
    envelope = statement.sign(store.keys, folder, list_content(folder), predicate)
    (folder / "statement.json").write_text(json.dumps(envelope))
    write_layout(folder, tmp_path / "signed")
    with pytest.raises(IntegrityError, match=r"adapter\.bin: is a pickle"):
        bring(tmp_path / "signed", other, "me")
