from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luodi.errors import IntegrityError, StoreError
from luodi.store.artifacts import Artifact, Artifacts

CONTENT = {"a.txt": b"first", "deep/b.bin": bytes(range(256)), "deep/er/c": b"", "ä 中.md": b"text"}


@pytest.fixture
def artifacts(tmp_path: Path) -> Artifacts:
    return Artifacts(tmp_path / "artifacts")


def folder(path: Path, content: dict[str, bytes] | None = None) -> Path:
    for name, data in (CONTENT if content is None else content).items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def stored(artifacts: Artifacts, content: dict[str, bytes] | None = None) -> Artifact:
    return artifacts.add(folder(artifacts.root.parent / "out", content), kind="toy", about={"stage": "toy"})


def test_content_is_kept(artifacts: Artifacts) -> None:
    artifact = stored(artifacts)
    assert {name: (artifact.files / name).read_bytes() for name in CONTENT} == CONTENT


def test_folder_is_moved_away(artifacts: Artifacts, tmp_path: Path) -> None:
    stored(artifacts)
    assert [p.name for p in tmp_path.iterdir()] == ["artifacts"]


def test_manifest_tells_of_every_file(artifacts: Artifacts) -> None:
    manifest = stored(artifacts).manifest()
    assert (manifest["kind"], manifest["stage"]) == ("toy", "toy")
    assert {f["path"]: f["size"] for f in manifest["files"]} == {n: len(d) for n, d in CONTENT.items()}


def test_same_content_twice_is_one_artifact(artifacts: Artifacts, tmp_path: Path) -> None:
    first = stored(artifacts)
    assert stored(artifacts) == first
    assert list(artifacts.all()) == [first]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("content", [{"a": b"2"}, {"b": b"1"}, {"a": b"1", "b": b""}, {"d/a": b"1"}, {}])
def test_other_content_has_another_digest(artifacts: Artifacts, content: dict[str, bytes]) -> None:
    (artifacts.root.parent / "out").mkdir()
    assert stored(artifacts, content).digest != stored(artifacts, {"a": b"1"}).digest


def test_digest_does_not_depend_on_the_order_of_writing(artifacts: Artifacts) -> None:
    first = stored(artifacts)
    assert stored(artifacts, dict(reversed(CONTENT.items()))).digest == first.digest


def test_files_are_read_only(artifacts: Artifacts) -> None:
    artifact = stored(artifacts)
    assert {p.stat().st_mode & 0o777 for p in artifact.files.rglob("*") if p.is_file()} == {0o444}


def test_whole_artifact_has_no_problems(artifacts: Artifacts) -> None:
    artifact = stored(artifacts)
    artifacts.verify(artifact)
    assert artifacts.problems(artifact) == []


@pytest.mark.parametrize("name", [name for name, data in CONTENT.items() if data])
def test_flipped_bit_is_found_in_every_file(artifacts: Artifacts, name: str) -> None:
    artifact = stored(artifacts)
    path = artifact.files / name
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert artifacts.problems(artifact) == [f"{name}: changed"]


@pytest.mark.parametrize("name", CONTENT)
def test_missing_file_is_found(artifacts: Artifacts, name: str) -> None:
    artifact = stored(artifacts)
    (artifact.files / name).unlink()
    assert artifacts.problems(artifact) == [f"{name}: missing"]


def test_missing_content_is_found(artifacts: Artifacts) -> None:
    artifact = stored(artifacts)
    shutil.rmtree(artifact.files)
    assert len(artifacts.problems(artifact)) == len(CONTENT)


def test_extra_file_is_found(artifacts: Artifacts) -> None:
    artifact = stored(artifacts)
    (artifact.files / "deep" / "new").write_bytes(b"")
    assert artifacts.problems(artifact) == ["deep/new: not part of the artifact"]


@pytest.mark.parametrize("target", ["elsewhere", "absent"])
def test_file_replaced_by_a_link_is_found(artifacts: Artifacts, tmp_path: Path, target: str) -> None:
    artifact = stored(artifacts)
    (tmp_path / "elsewhere").write_bytes(CONTENT["a.txt"])
    (artifact.files / "a.txt").unlink()
    (artifact.files / "a.txt").symlink_to(tmp_path / target)
    assert artifacts.problems(artifact) == ["a.txt: replaced by a link or a device"]


def test_linked_folder_is_found(artifacts: Artifacts, tmp_path: Path) -> None:
    artifact = stored(artifacts)
    (artifact.files / "more").symlink_to(tmp_path)
    assert artifacts.problems(artifact) == ["more: not part of the artifact"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"files": 3}',
        '{"files": [3]}',
        '{"files": [{}]}',
        '{"files": [{"path": []}]}',
        "\xff",
    ],
)
def test_damaged_manifest_is_found(artifacts: Artifacts, text: str) -> None:
    artifact = stored(artifacts)
    (artifact.root / "manifest.json").write_bytes(text.encode("latin-1"))
    assert "manifest.json" in artifacts.problems(artifact)[0]


@pytest.mark.parametrize("change", [('"size": 5', '"size": 6'), ("a.txt", "b.txt"), ('"digest": "', '"digest": "0')])
def test_changed_listing_is_found(artifacts: Artifacts, change: tuple[str, str]) -> None:
    artifact = stored(artifacts, {"a.txt": b"first"})
    path = artifact.root / "manifest.json"
    listing = path.read_text().split('"files"')
    path.write_text('"files"'.join([listing[0], listing[1].replace(*change, 1)]))
    assert "manifest.json: changed" in artifacts.problems(artifact)


def test_verify_says_what_is_wrong_and_what_to_do(artifacts: Artifacts) -> None:
    artifact = stored(artifacts)
    (artifact.files / "a.txt").unlink()
    (artifact.files / "deep" / "b.bin").unlink()
    with pytest.raises(IntegrityError, match=r"a.txt: missing \(and 1 more\)") as caught:
        artifacts.verify(artifact)
    assert "--repair" in caught.value.hint


def test_content_and_listing_changed_together_are_found(artifacts: Artifacts, tmp_path: Path) -> None:
    artifact = stored(artifacts)
    forged = stored(artifacts, {"a.txt": b"forged"})
    shutil.rmtree(artifact.root)
    forged.root.rename(artifact.root)
    assert artifacts.problems(artifact) == ["manifest.json: changed"]


@pytest.mark.parametrize("target", ["a.txt", "deep", "absent", "/etc/passwd"])
def test_links_are_refused(artifacts: Artifacts, tmp_path: Path, target: str) -> None:
    (folder(tmp_path / "out") / "link").symlink_to(target)
    with pytest.raises(StoreError, match="is a link"):
        artifacts.add(tmp_path / "out", kind="toy", about={})
    assert list(artifacts.all()) == []


def test_devices_are_refused(artifacts: Artifacts, tmp_path: Path) -> None:
    os.mkfifo(folder(tmp_path / "out") / "pipe")
    with pytest.raises(StoreError, match="device"):
        artifacts.add(tmp_path / "out", kind="toy", about={})


def test_what_a_kill_left_is_replaced(artifacts: Artifacts) -> None:
    artifact = stored(artifacts)
    (artifact.root / "manifest.json").unlink()
    (artifact.files / "a.txt").unlink()
    assert artifact.digest not in artifacts
    assert artifacts.problems(stored(artifacts)) == []


def test_failure_leaves_no_artifact(artifacts: Artifacts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("stopped")

    monkeypatch.setattr("luodi.store.artifacts.write_json", fails)
    with pytest.raises(RuntimeError):
        stored(artifacts)
    assert list(artifacts.all()) == []


def test_find_takes_a_prefix(artifacts: Artifacts) -> None:
    artifact = stored(artifacts)
    assert artifacts.find(artifact.digest[:4]) == artifact


@pytest.mark.parametrize(("prefix", "what"), [("abc", "too short"), ("zzzz", "no artifact")])
def test_find_explains(artifacts: Artifacts, prefix: str, what: str) -> None:
    stored(artifacts)
    with pytest.raises(StoreError, match=what):
        artifacts.find(prefix)


def test_get_of_nothing_explains(artifacts: Artifacts) -> None:
    with pytest.raises(StoreError, match="no artifact"):
        artifacts.get("0" * 64)


def test_remove_frees_everything(artifacts: Artifacts) -> None:
    artifact = stored(artifacts)
    (artifact.files / "dangling").symlink_to("absent")
    assert artifacts.remove(artifact) > sum(len(data) for data in CONTENT.values())
    assert not artifact.root.exists()


names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=20).filter(
    lambda name: name not in (".", "..")
)


@settings(max_examples=30)
@given(st.dictionaries(names, st.binary(max_size=100), max_size=4))
def test_any_files_come_back_as_they_were(tmp_path_factory: pytest.TempPathFactory, content: dict[str, bytes]) -> None:
    root = tmp_path_factory.mktemp("any")
    (root / "out").mkdir()
    artifacts = Artifacts(root / "artifacts")
    artifact = stored(artifacts, content)
    assert {p.name: p.read_bytes() for p in artifact.files.iterdir()} == content
    assert artifacts.problems(artifact) == []
