from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import stat
import sys
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from luodi.errors import SourceError
from luodi.store import fetch
from luodi.store.fetch import fetch_package, open_archive

BODY = b"an sdist, as far as this test goes " * 9000
SHA = hashlib.sha256(BODY).hexdigest()


class Index:
    """A package index on loopback; `pages`: path to (content type, body), `breaks`: bodies to cut short."""

    def __init__(self) -> None:
        self.pages: dict[str, tuple[str, bytes]] = {}
        self.asked: list[tuple[str, str | None]] = []
        self.breaks = 0
        self.status = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append((self.path, self.headers["Authorization"]))
                kind, body = outer.pages.get(self.path, ("", b""))
                if outer.status or not kind:
                    self.send_error(outer.status or 404)
                    return
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.path.startswith("/files") and outer.breaks:
                    outer.breaks -= 1
                    body = body[: len(body) // 2]
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()

    def release(self, name: str, *versions: str, digest: str | None = SHA, html: bool = False) -> None:
        files = [f"{name}-{version}.tar.gz" for version in versions]
        for file in files:
            self.pages[f"/files/{file}"] = ("application/octet-stream", BODY)
        if html:
            mark = f"#sha256={digest}" if digest else ""
            links = "".join(f'<a href="../../files/{file}{mark}">{file}</a>' for file in files)
            page = ("text/html", f"<!DOCTYPE html><html><body>{links}</body></html>".encode())
        else:
            hashes = {"sha256": digest} if digest else {}
            listed = [{"filename": f, "url": f"/files/{f}", "hashes": hashes} for f in files]
            page = ("application/vnd.pypi.simple.v1+json", json.dumps({"files": listed}).encode())
        self.pages[f"/simple/{name}/"] = page


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    found = Index()
    for key in [key for key in os.environ if key.startswith("PIP_") or key.lower().endswith("_proxy")]:
        monkeypatch.delenv(key)
    monkeypatch.setenv("PIP_INDEX_URL", f"http://{found.host}/simple")
    monkeypatch.setattr(fetch, "_pip_config", dict)
    monkeypatch.setattr(fetch, "WAITS", (0.0, 0.0))
    yield found
    found.server.shutdown()
    found.server.server_close()


def failing(spec: str = "toy==1.2.0", **changes: object) -> SourceError:
    options = {"kind": "sdist", "sha256": None, **changes}
    with pytest.raises(SourceError) as caught:
        fetch_package(spec, **options)  # type: ignore[arg-type]
    return caught.value


@pytest.mark.parametrize("html", [False, True])
@pytest.mark.parametrize("digest", [SHA, None])
def test_downloads_and_reports_progress(index: Index, tmp_path: Path, html: bool, digest: str | None) -> None:
    index.release("toy", "1.1", "1.2.0", html=html, digest=digest)
    seen: list[tuple[int, int]] = []
    got = fetch_package(
        "Toy==1.2.0",
        kind="sdist",
        sha256=None,
        into=tmp_path / "new",
        progress=lambda a, b: seen.append((a, b)),
    )
    assert (got.name, got.version, got.sha256) == ("toy", "1.2.0", SHA)
    assert got.path == tmp_path / "new" / "toy-1.2.0.tar.gz"
    assert got.path.read_bytes() == BODY
    assert seen[-1] == (len(BODY), len(BODY)) and seen == sorted(seen)
    assert [path.name for path in got.path.parent.iterdir()] == ["toy-1.2.0.tar.gz"]


def test_pinned_file_that_is_there_needs_no_network(index: Index, tmp_path: Path) -> None:
    (tmp_path / "toy-1.2.0.tar.gz").write_bytes(BODY)
    assert fetch_package("toy==1.2.0", kind="sdist", sha256=SHA, into=tmp_path).sha256 == SHA
    assert index.asked == []


def test_file_with_a_wrong_digest_is_fetched_again(index: Index, tmp_path: Path) -> None:
    index.release("toy", "1.2.0")
    (tmp_path / "toy-1.2.0.tar.gz").write_bytes(b"half")
    assert fetch_package("toy==1.2.0", kind="sdist", sha256=SHA, into=tmp_path).path.read_bytes() == BODY
    before = len(index.asked)
    fetch_package("toy==1.2.0", kind="sdist", sha256=None, into=tmp_path)
    assert len(index.asked) == before + 1  # the registry's digest was asked, the file was not


def test_cut_connections_are_tried_again(index: Index, tmp_path: Path) -> None:
    index.release("toy", "1.2.0")
    index.breaks = 2
    assert fetch_package("toy==1.2.0", kind="sdist", sha256=SHA, into=tmp_path).sha256 == SHA
    (tmp_path / "toy-1.2.0.tar.gz").unlink()
    index.breaks = 3
    assert "ended after" in failing(sha256=SHA, into=tmp_path).message
    assert not any(tmp_path.iterdir())


def test_nothing_is_kept_of_a_wrong_digest(index: Index, tmp_path: Path) -> None:
    index.release("toy", "1.2.0", digest="0" * 64)
    assert "0" * 64 in failing(into=tmp_path).message
    assert SHA in failing(sha256=SHA, into=tmp_path).message  # refused before the download
    assert [path for path, _ in index.asked].count("/files/toy-1.2.0.tar.gz") == 1
    assert not any(tmp_path.iterdir())


def test_offline_names_what_to_bring(index: Index, tmp_path: Path) -> None:
    index.status = 503
    error = failing(into=tmp_path)
    assert (
        "toy-1.2.0.tar.gz" in error.hint and "PIP_FIND_LINKS" in error.hint and "PIP_INDEX_URL" in error.hint
    )
    assert len(index.asked) == 3
    index.status = 403
    failing(into=tmp_path)
    assert len(index.asked) == 4


def test_find_links_folder_needs_no_index(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rack = tmp_path / "rack"
    rack.mkdir()
    (rack / "toy-1.2.0.tar.gz").write_bytes(BODY)
    monkeypatch.setenv("PIP_FIND_LINKS", f"{tmp_path / 'absent'} {rack.as_uri()}")
    assert fetch_package("toy==1.2", kind="sdist", sha256=SHA, into=tmp_path / "a").sha256 == SHA
    assert fetch_package("toy==1.2", kind="sdist", sha256=None, into=tmp_path / "b").sha256 == SHA
    assert index.asked == []
    with pytest.warns(UserWarning, match="not the pinned"):
        failing(sha256="1" * 64, into=tmp_path / "c")


def test_extra_index_may_be_a_folder(index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "simple" / "toy").mkdir(parents=True)
    (tmp_path / "toy-2.0-py3-none-any.whl").write_bytes(BODY)
    link = f'<a href="../../toy-2.0-py3-none-any.whl#sha256={SHA}">w</a>'
    (tmp_path / "simple" / "toy" / "index.html").write_text(link)
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", (tmp_path / "simple").as_uri())
    got = fetch_package("toy==2.0", kind="wheel", sha256=None, into=tmp_path / "into")
    assert got.path.name == "toy-2.0-py3-none-any.whl"
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert "PIP_FIND_LINKS" in failing("toy==2.0", kind="wheel", into=tmp_path / "other").hint


def test_missing_versions_name_the_nearest(index: Index, tmp_path: Path) -> None:
    index.release("toy", "0.9", "1.0", "1.1", "1.2.0", "1.3", "2.0", "3.0rc1")
    error = failing("toy==1.2.5", into=tmp_path)
    assert "1.2.5" in error.message
    assert error.hint == "the nearest: 1.0, 1.1, 1.2.0, 1.3, 2.0"
    assert "no sdist of 'absent'" in failing("absent==1", into=tmp_path).message


@pytest.mark.parametrize("spec", ["toy", "toy>=1", "toy==1.*", "toy==", "../toy==1", "toy[x]==1", ""])
def test_spec_must_be_exact(tmp_path: Path, spec: str) -> None:
    assert "django==5.2.19" in failing(spec, into=tmp_path).hint


def test_password_is_sent_as_a_header_and_not_shown(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.release("toy", "1.2.0")
    monkeypatch.setenv("PIP_INDEX_URL", f"http://me:s3cret@{index.host}/simple/")
    fetch_package("toy==1.2.0", kind="sdist", sha256=None, into=tmp_path)
    assert {header for _, header in index.asked} == {"Basic bWU6czNjcmV0"}
    index.status = 401
    error = failing("toy==3", into=tmp_path)
    assert "s3cret" not in error.message + error.hint


def test_an_index_may_not_point_into_the_disk(index: Index, tmp_path: Path) -> None:
    page = '<a href="file:///etc/toy-1.2.0.tar.gz">x</a><a href="/files/..%2Ftoy-1.2.0.tar.gz">x</a>'
    index.pages["/simple/toy/"] = ("text/html", page.encode())
    assert "no sdist" in failing(into=tmp_path).message


def test_page_that_is_no_index(index: Index, tmp_path: Path) -> None:
    index.pages["/simple/toy/"] = ("application/json", b"[]")
    assert "not a package index" in failing(into=tmp_path).message


def test_full_disk(index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index.release("toy", "1.2.0")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(fetch.os, "fsync", full)
    assert "no room" in failing(into=tmp_path).message
    assert not any(tmp_path.iterdir())


def test_reads_pips_own_configuration(index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    file = tmp_path / "pip.conf"
    file.write_text("[global]\nindex-url = http://127.0.0.1:1/simple\nfind-links =\n  /one\n  /two\n")
    for key in ("PIP_INDEX_URL", "PIP_FIND_LINKS"):
        monkeypatch.delenv(key, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", str(file))
    settings = fetch._settings()
    assert settings.indexes[0] == "http://127.0.0.1:1/simple"
    assert settings.folders[-2:] == (Path("/one"), Path("/two"))
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert fetch._pip_config() == {}


def test_equal_versions() -> None:
    assert fetch._key("5.2") == fetch._key("5.2.0") == fetch._key("v5.2.0.0")
    assert fetch._key("1.0-rc.1") == fetch._key("1.0rc1") != fetch._key("1.0rc2")
    assert fetch._version("My_Pkg-1.0.tar.gz", "sdist", "my-pkg") == "1.0"
    assert fetch._version("my-pkg-extra-1.0.tar.gz", "sdist", "my-pkg") != "1.0"


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
    archive = open_archive(tarball(tmp_path / "toy-1.0.tar.gz", *files))
    assert archive.names() == ["docs/a/b.txt", "docs/z.txt", "setup.py"]
    assert archive.glob("docs/**/*.txt") == ["docs/a/b.txt", "docs/z.txt"]
    assert archive.glob("docs/*.txt") == ["docs/z.txt"]
    assert archive.glob("?etup.p[y]") == []
    assert archive.read("docs/a/b.txt") == b"b" * 700_000 and archive.read("setup.py") == b""
    with pytest.raises(SourceError, match="limit 10"):
        archive.read("docs/a/b.txt", limit=10)
    with pytest.raises(SourceError, match="no file"):
        archive.read("toy-1.0/setup.py")


def test_wheel_names_stay(tmp_path: Path) -> None:
    path = tmp_path / "toy-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("toy-1.0.dist-info/METADATA", "x")
    archive = open_archive(path)
    assert archive.names() == ["toy-1.0.dist-info/METADATA"]
    assert archive.read(archive.names()[0]) == b"x"


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
    monkeypatch.setattr(fetch, "TOTAL_LIMIT", 4)
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
