from __future__ import annotations

import io
import os
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from luodi.errors import SourceError
from luodi.store import archive
from luodi.store.archive import open_archive


def tarball(path: Path, *members: tuple[str, bytes] | tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                tar.addfile(info, io.BytesIO(member[1]))
    return path


def test_sdist_names_have_no_top_folder(tmp_path: Path) -> None:
    files = [
        ("toy-1.0/docs/z.txt", b"z"),
        ("toy-1.0/docs/a/b.txt", b"b" * 700_000),
        ("toy-1.0/setup.py", b""),
    ]
    found = open_archive(tarball(tmp_path / "toy-1.0.tar.gz", *files))
    assert found.names() == ["docs/a/b.txt", "docs/z.txt", "setup.py"]
    assert found.glob("docs/**/*.txt") == ["docs/a/b.txt", "docs/z.txt"]
    assert found.glob("docs/*.txt") == ["docs/z.txt"]
    assert found.glob("?etup.p[y]") == []
    assert found.read("docs/a/b.txt") == b"b" * 700_000 and found.read("setup.py") == b""
    with pytest.raises(SourceError, match="limit 10"):
        found.read("docs/a/b.txt", limit=10)
    with pytest.raises(SourceError, match="no file"):
        found.read("toy-1.0/setup.py")


def test_wheel_names_stay(tmp_path: Path) -> None:
    path = tmp_path / "toy-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("toy-1.0.dist-info/METADATA", "x")
    found = open_archive(path)
    assert found.names() == ["toy-1.0.dist-info/METADATA"]
    assert found.read(found.names()[0]) == b"x"


def link(kind: bytes) -> tarfile.TarInfo:
    info = tarfile.TarInfo("toy-1.0/link")
    info.type, info.linkname = kind, "/etc/passwd"
    return info


@pytest.mark.parametrize(
    "member",
    [
        ("/etc/x", b""),
        ("toy/../../x", b""),
        link(tarfile.SYMTYPE),
        link(tarfile.LNKTYPE),
        link(tarfile.FIFOTYPE),
    ],
)
def test_tars_that_are_refused(tmp_path: Path, member: tuple[str, bytes] | tarfile.TarInfo) -> None:
    with pytest.raises(SourceError, match="refused"):
        open_archive(tarball(tmp_path / "a.tar.gz", member))


def test_zips_that_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    linked = zipfile.ZipInfo("link")
    linked.external_attr = (stat.S_IFLNK | 0o777) << 16
    for name in ("../x", "/x", linked):
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
            file.writestr(name, "12345")
        with pytest.raises(SourceError, match="refused"):
            open_archive(tmp_path / "a.zip")
    monkeypatch.setattr(archive, "TOTAL_LIMIT", 4)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("x", "12345")
    with pytest.raises(SourceError, match="more than 4 bytes"):
        open_archive(tmp_path / "a.zip")


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz", "absent.whl"])
def test_damaged_archives(tmp_path: Path, name: str) -> None:
    if not name.startswith("absent"):
        (tmp_path / name).write_bytes(b"\x1f\x8bnot really")
    with pytest.raises(SourceError, match="could not be read"):
        open_archive(tmp_path / name)


def test_tar_that_ends_early(tmp_path: Path) -> None:
    path = tarball(tmp_path / "a.tar.gz", ("x", os.urandom(50_000)))
    path.write_bytes(path.read_bytes()[:30_000])
    with pytest.raises(SourceError, match="could not be read"):
        open_archive(path)


def packed(kind: str) -> bytes:
    out = io.BytesIO()
    if kind == "a.tar.gz":
        with tarfile.open(fileobj=out, mode="w:gz") as tar:
            for name in ("toy-1.0/a", "toy-1.0/b/c"):
                info = tarfile.TarInfo(name)
                info.size = 300
                tar.addfile(info, io.BytesIO(name.encode() * 99))
        return out.getvalue()
    methods = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
    with zipfile.ZipFile(out, "w") as file:
        for number, method in enumerate(methods):
            file.writestr(f"d/{number}", f"text {number} " * 40, compress_type=method)
    return out.getvalue()


WHOLE = {kind: packed(kind) for kind in ("a.zip", "a.tar.gz")}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@given(
    kind=st.sampled_from(sorted(WHOLE)),
    flips=st.lists(st.tuples(st.integers(0, 5000), st.integers(1, 255)), max_size=4),
    cut=st.integers(0, 5000),
)
@example(kind="a.zip", flips=[(492, 1)], cut=0)  # in the LZMA member
def test_no_damage_raises_anything_else(
    tmp_path_factory: pytest.TempPathFactory, kind: str, flips: list[tuple[int, int]], cut: int
) -> None:
    path = tmp_path_factory.getbasetemp() / kind
    data = bytearray(WHOLE[kind])
    for at, bits in flips:
        data[at % len(data)] ^= bits
    path.write_bytes(data[: cut or None])
    try:
        found = open_archive(path)
    except SourceError:
        return
    for name in found.names():
        try:
            assert isinstance(found.read(name), bytes)
        except SourceError as error:
            assert error.message
