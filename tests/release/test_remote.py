"""Releases go to a registry of containers and come back; registries that know referrers, and ones that don't."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

pytest.importorskip("oras.provider")

from luodi.errors import IntegrityError, ReleaseError
from luodi.release import Registry, Release, verify
from luodi.release.carry import pull, push
from luodi.release.layout import ATTESTATION, INDEX
from luodi.release.remote import Remote
from luodi.store import Store
from luodi.testing import tiny_release
from luodi.testing.loopback import Loopback

NAME = "team/helpdesk"


class Memory:
    """What a registry of the unit tests holds."""

    def __init__(self, *, referrers: bool, login: str = "") -> None:
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, tuple[str, bytes]] = {}
        self.uploads = 0
        self.referrers, self.login = referrers, login


def handler(memory: Memory) -> type[BaseHTTPRequestHandler]:
    """OCI distribution 1.1, as far as it goes here."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 0.5  # a kept connection ends with the test

        def log_message(self, *_: object) -> None:
            return

        def reply(self, status: int, body: bytes = b"", **headers: str) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def allowed(self) -> bool:
            if not memory.login:
                return True
            if self.headers.get("Authorization") == "Basic " + base64.b64encode(memory.login.encode()).decode():
                return True
            self.reply(
                401, b'{"errors":[{"code":"UNAUTHORIZED","message":"who are you"}]}', WWW_Authenticate='Basic realm="x"'
            )
            return False

        def do_GET(self) -> None:
            if not self.allowed():
                return
            kind, _, what = self.path.removeprefix(f"/v2/{NAME}/").partition("/")
            if kind == "blobs" and what in memory.blobs:
                self.reply(200, memory.blobs[what])
            elif kind == "manifests" and what in memory.manifests:
                media, data = memory.manifests[what]
                self.reply(200, data, Content_Type=media)
            elif kind == "referrers" and memory.referrers:
                every = [(d, json.loads(b)) for d, (_, b) in memory.manifests.items() if d.startswith("sha256:")]
                found = [
                    {"digest": d, "artifactType": m["artifactType"], "size": len(memory.manifests[d][1])}
                    for d, m in every
                    if m.get("subject", {}).get("digest") == what
                ]
                self.reply(200, json.dumps({"manifests": found}).encode(), Content_Type=INDEX)
            else:
                self.reply(404, b'{"errors":[{"code":"UNKNOWN","message":"not here"}]}')

        do_HEAD = do_GET

        def body(self) -> bytes:
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))

        def do_POST(self) -> None:
            self.body()
            if self.allowed():
                self.reply(202, Location=f"/v2/{NAME}/blobs/uploads/1")

        def do_PUT(self) -> None:
            data = self.body()
            if not self.allowed():
                return
            digest = "sha256:" + hashlib.sha256(data).hexdigest()
            if "/blobs/uploads/" in self.path:
                assert self.path.endswith(digest)
                memory.blobs[digest] = data
                memory.uploads += 1
                self.reply(201)
                return
            media = str(self.headers["Content-Type"])
            name = self.path.rpartition("/")[2]
            memory.manifests[digest] = memory.manifests[name] = (media, data)
            subject = json.loads(data).get("subject")
            more = {"OCI_Subject": subject["digest"]} if subject and memory.referrers else {}
            self.reply(201, **more)

    return Handler


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, Release]:
    store = Store(tmp_path_factory.mktemp("made") / "store")
    return store, tiny_release(store)


@pytest.fixture
def other(made: tuple[Store, Release], tmp_path: Path) -> Store:
    store = Store(tmp_path / "other")
    key, owner = next(iter(made[0].keys.trusted().values()))
    store.keys.trust(key, owner)
    return store


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No login of the user that runs the tests."""
    monkeypatch.setenv("HOME", str(tmp_path))


def reference(url: str) -> str:
    return url.removeprefix("http://").removesuffix("/v1") + f"/{NAME}:3"


@pytest.mark.parametrize("referrers", [True, False])
def test_there_and_back(made, other, referrers):
    memory = Memory(referrers=referrers)
    with Loopback(handler(memory)) as server:
        remote = Remote(reference(server.url), plain=True)
        digest = push(made[1], made[0], remote)
        assert digest in memory.manifests
        assert (digest.replace(":", "-") in memory.manifests) == (not referrers)
        sent = memory.uploads
        push(made[1], made[0], remote)
        assert memory.uploads == sent, "what is there is not sent again"
        release = pull(Remote(reference(server.url), plain=True), other, "me")
    assert release.digest == made[1].digest
    assert verify(release, other).parts > 10


def test_a_registry_that_lies_is_found_out(made, other):
    memory = Memory(referrers=True)
    with Loopback(handler(memory)) as server:
        push(made[1], made[0], Remote(reference(server.url), plain=True))
        digest = max(memory.blobs, key=lambda d: len(memory.blobs[d]))
        memory.blobs[digest] = memory.blobs[digest][:-1] + b"!"
        with pytest.raises(IntegrityError, match="changed since the release was packed"):
            pull(Remote(reference(server.url), plain=True), other, "me")
        memory.blobs[digest] = memory.blobs[digest] * 2
        with pytest.raises(IntegrityError, match="more than"):
            pull(Remote(reference(server.url), plain=True), other, "me")
    assert not Registry(other).all() and not list(other.folder("work").iterdir())


def test_a_release_whose_attestation_is_gone_is_not_taken(made, other):
    memory = Memory(referrers=True)
    with Loopback(handler(memory)) as server:
        push(made[1], made[0], Remote(reference(server.url), plain=True))
        memory.manifests = {n: m for n, m in memory.manifests.items() if ATTESTATION not in m[1].decode()}
        with pytest.raises(IntegrityError, match="no attestation"):
            pull(Remote(reference(server.url), plain=True), other, "me")


def test_errors_say_what_to_do(made, other):
    memory = Memory(referrers=True)
    with Loopback(handler(memory)) as server, pytest.raises(ReleaseError, match="404: not here") as raised:
        pull(Remote(reference(server.url), plain=True), other, "me")
    assert "name and the tag" in raised.value.hint
    with pytest.raises(ReleaseError, match="could not be"):
        pull(Remote(reference(server.url), plain=True), other, "me")  # nobody listens there any more
    for wrong in ("helpdesk", "helpdesk:3", "https://host.example/x:1", "team/helpdesk:3"):
        with pytest.raises(ReleaseError, match="names no registry"):
            Remote(wrong)


def test_logins_of_docker_are_used(made, other, tmp_path):
    memory = Memory(referrers=True, login="ann:secret")
    with Loopback(handler(memory)) as server:
        at = reference(server.url)
        with pytest.raises(ReleaseError) as raised:
            push(made[1], made[0], Remote(at, plain=True))
        assert "log in" in raised.value.hint
        auth = {"auths": {at.partition("/")[0]: {"auth": base64.b64encode(b"ann:secret").decode()}}}
        (tmp_path / ".docker").mkdir()
        (tmp_path / ".docker" / "config.json").write_text(json.dumps(auth))
        push(made[1], made[0], Remote(at, plain=True))
        assert pull(Remote(at, plain=True), other, "me").digest == made[1].digest


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    """The registry of Debian's package, on the loopback."""
    binary = shutil.which("docker-registry")
    if binary is None:
        pytest.skip("docker-registry is not installed (`make servers`)")
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    config = tmp_path / "registry.yml"
    config.write_text(
        f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {tmp_path / 'blobs'}}}}}\n"
        f"http: {{addr: '127.0.0.1:{port}'}}\n"
    )
    process = subprocess.Popen([binary, "serve", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/", timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


@pytest.mark.slow
def test_a_real_registry(made, other, registry):
    at = f"{registry}/{NAME}:3"
    digest = push(made[1], made[0], Remote(at, plain=True))
    release = pull(Remote(at, plain=True), other, "me")
    assert release.digest == made[1].digest
    by_digest = pull(Remote(f"{registry}/{NAME}@{digest}", plain=True), other, "me")
    assert by_digest.digest == release.digest
