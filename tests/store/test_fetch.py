from __future__ import annotations

import hashlib
import io
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from luodi.errors import SourceError, StoreError
from luodi.store import fetch
from luodi.store.fetch import FetchedFile, fetch_package

BODY = b"an sdist, as far as this test goes " * 9000
SHA = hashlib.sha256(BODY).hexdigest()
WHEEL = "toy_package-1.2.0-py3-none-any.whl"


@pytest.fixture(autouse=True)
def no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pip has no index; the one that it would have does not answer."""
    for key in [key for key in os.environ if key.startswith("PIP_")]:
        monkeypatch.delenv(key)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_CACHE_DIR", str(tmp_path / "pip-cache"))


@pytest.fixture
def rack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip is told to look in."""
    path = tmp_path / "rack"
    path.mkdir()
    monkeypatch.setenv("PIP_FIND_LINKS", str(path))
    return path


def fetched(into: Path, spec: str = "toy-package==1.2.0", kind: str = "sdist", sha256: str | None = SHA) -> FetchedFile:
    return fetch_package(spec, kind=kind, sha256=sha256, into=into)  # type: ignore[arg-type]


def refused(into: Path, spec: str = "toy-package==1.2.0", kind: str = "sdist", sha256: str | None = SHA) -> SourceError:
    with pytest.raises(SourceError) as caught:
        fetched(into, spec, kind, sha256)
    return caught.value


def wheel(folder: Path) -> str:
    """Build a wheel by hand; returns its sha256."""
    info = "toy_package-1.2.0.dist-info"
    with zipfile.ZipFile(folder / WHEEL, "w") as file:
        file.writestr("toy.py", "x = 1\n")
        file.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: toy-package\nVersion: 1.2.0\n")
        file.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        file.writestr(f"{info}/RECORD", f"toy.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
    return hashlib.sha256((folder / WHEEL).read_bytes()).hexdigest()


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir()) if folder.exists() else []


@pytest.fixture
def without_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")


@pytest.mark.usefixtures("without_pip")
@pytest.mark.parametrize("file", ["toy_package-1.2.0.tar.gz", "toy-package-1.2.0.tar.gz", "Toy.Package-1.2.0.zip"])
def test_pinned_file_that_is_there_needs_no_pip(tmp_path: Path, file: str) -> None:
    (tmp_path / file).write_bytes(BODY)
    assert fetched(tmp_path) == FetchedFile(tmp_path / file, "toy-package", "1.2.0", SHA)


@pytest.mark.usefixtures("without_pip")
@pytest.mark.parametrize(
    "file",
    [
        "toy-package-1.2.1.tar.gz",
        "toy-package-extra-1.2.0.tar.gz",
        "package-1.2.0.tar.gz",
        WHEEL,
        "toy-package-1.2.0.tar.bz2",
    ],
)
def test_file_of_another_release_is_not_taken(tmp_path: Path, file: str) -> None:
    (tmp_path / file).write_bytes(BODY)
    refused(tmp_path)


@pytest.mark.usefixtures("without_pip")
def test_pinned_file_of_a_find_links_folder_is_copied(
    tmp_path: Path, rack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (rack / "toy_package-1.2.0.tar.gz").write_bytes(BODY)
    monkeypatch.setenv("PIP_FIND_LINKS", f"https://127.0.0.1:9/links {tmp_path / 'absent'} {rack}")
    got = fetched(tmp_path / "into")
    assert (got.path.parent, got.path.read_bytes()) == (tmp_path / "into", BODY)
    assert names(tmp_path / "into") == ["toy_package-1.2.0.tar.gz"]


@pytest.mark.usefixtures("without_pip")
def test_progress_is_told(tmp_path: Path) -> None:
    (tmp_path / "toy_package-1.2.0.tar.gz").write_bytes(BODY)
    seen: list[tuple[int, int]] = []
    fetch_package(
        "toy-package==1.2.0", kind="sdist", sha256=SHA, into=tmp_path, progress=lambda *done: seen.append(done)
    )
    assert seen == [(0, 0), (len(BODY), len(BODY))]


@pytest.mark.usefixtures("without_pip")
def test_sdist_without_a_pin_is_refused(tmp_path: Path) -> None:
    (tmp_path / "toy_package-1.2.0.tar.gz").write_bytes(BODY)
    error = refused(tmp_path, sha256=None)
    assert "needs its sha256" in error.message and "pip hash" in error.hint


@pytest.mark.parametrize(
    "spec", ["toy", "toy>=1", "toy==1.*", "toy==", "../toy==1", "toy[x]==1", "", "toy==1 --pre", "toy==1\nx==2"]
)
def test_spec_must_be_exact(tmp_path: Path, spec: str) -> None:
    assert "django==5.2.19" in refused(tmp_path, spec).hint


@pytest.mark.parametrize("pinned", [True, False])
def test_pip_fetches_a_wheel(tmp_path: Path, rack: Path, pinned: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    sha256 = wheel(rack)
    monkeypatch.setattr(fetch, "_lying_around", lambda *_: iter(()))
    got = fetched(tmp_path / "into", kind="wheel", sha256=sha256 if pinned else None)
    assert got == FetchedFile(tmp_path / "into" / WHEEL, "toy-package", "1.2.0", sha256)
    assert hashlib.sha256(got.path.read_bytes()).hexdigest() == sha256
    assert names(tmp_path / "into") == [WHEEL]


def test_wrong_digest_is_refused_and_nothing_kept(tmp_path: Path, rack: Path) -> None:
    wheel(rack)
    error = refused(tmp_path / "into", kind="wheel", sha256="0" * 64)
    assert "digest is not the pinned one" in error.message
    assert names(tmp_path / "into") == []


def test_code_of_an_sdist_with_a_wrong_digest_is_not_run(tmp_path: Path, rack: Path) -> None:
    code = f"open({str(tmp_path / 'ran')!r}, 'w')".encode()
    with tarfile.open(rack / "toy_package-1.2.0.tar.gz", "w:gz") as tar:
        info = tarfile.TarInfo("toy_package-1.2.0/setup.py")
        info.size = len(code)
        tar.addfile(info, io.BytesIO(code))
    assert "digest is not the pinned one" in refused(tmp_path / "into", sha256="0" * 64).message
    assert not (tmp_path / "ran").exists()


def test_wrong_file_in_place_is_replaced(tmp_path: Path, rack: Path) -> None:
    sha256 = wheel(rack)
    (tmp_path / "into").mkdir()
    (tmp_path / "into" / WHEEL).write_bytes(b"half")
    assert fetched(tmp_path / "into", kind="wheel", sha256=sha256).path.read_bytes() == (rack / WHEEL).read_bytes()


def test_release_that_is_not_there(tmp_path: Path, rack: Path) -> None:
    wheel(rack)
    assert "toy-package==9.9" in refused(tmp_path / "into", "toy-package==9.9", "wheel", None).message


def test_offline_says_where_to_put_the_file(tmp_path: Path) -> None:
    hint = refused(tmp_path / "into").hint
    assert "toy-package-1.2.0.tar.gz" in hint and str(tmp_path / "into") in hint and "PIP_FIND_LINKS" in hint


def test_offline_wheel_without_a_pin_is_not_sent_where_it_is_not_looked_for(tmp_path: Path, rack: Path) -> None:
    hint = refused(tmp_path / "into", kind="wheel", sha256=None).hint
    assert "toy_package-1.2.0" in hint and "PIP_FIND_LINKS" in hint and str(tmp_path / "into") not in hint


@pytest.mark.usefixtures("without_pip")
def test_python_without_pip(tmp_path: Path) -> None:
    assert "pip failed" in refused(tmp_path).message


@pytest.mark.usefixtures("without_pip")
def test_copy_that_fails_leaves_nothing(tmp_path: Path, rack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (rack / "toy_package-1.2.0.tar.gz").write_bytes(BODY)

    def full(_: Path, target: Path) -> None:
        target.write_bytes(b"half")
        raise OSError(28, os.strerror(28), str(target))

    monkeypatch.setattr(fetch.shutil, "copyfile", full)
    with pytest.raises(StoreError, match="No space left"):
        fetched(tmp_path / "into")
    assert names(tmp_path / "into") == []
