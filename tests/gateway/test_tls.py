"""TLS on a real server and real connections: before a new certificate, after it, and with a broken one."""

from __future__ import annotations

import asyncio
import datetime
import http.client
import json
import logging
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from luodi.errors import LuodiError
from luodi.gateway.server import find_server
from luodi.gateway.tls import Certificate, own_server
from luodi.store import Store
from luodi.testing import tiny_release


def make(folder: Path, name: str, password: bytes = b"") -> tuple[Path, Path]:
    """A certificate that names itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    cert, private = folder / f"{name}.pem", folder / f"{name}.key"
    cert.write_bytes(built.public_bytes(serialization.Encoding.PEM))
    how = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    private.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how))
    return cert, private


def named(url: str) -> str:
    """Common name of the certificate that a new connection is shown."""
    host, port = url.removeprefix("https://").split(":")
    pem = ssl.get_server_certificate((host, int(port)), timeout=10)
    return str(
        x509.load_pem_x509_certificate(pem.encode()).subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
    )


def put(pair: tuple[Path, Path], onto: tuple[Path, Path]) -> None:
    for source, target in zip(pair, onto, strict=True):
        fresh = target.with_suffix(".new")
        fresh.write_bytes(source.read_bytes())
        fresh.replace(target)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, str, Store, tuple[Path, Path], subprocess.Popen[str]]]:
    pair = make(tmp_path, "live")
    store = Store(tmp_path / "store")
    tiny_release(store)
    command = [sys.executable, str(Path(__file__).with_name("serving.py")), str(store.root), "0"]
    environment = os.environ | {"LUODI_TEST_TLS": json.dumps([str(p) for p in pair])}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None and process.stderr is not None
    url, key = process.stdout.readline().split()
    yield url, key, store, pair, process
    process.kill()
    process.wait(30)
    process.stdout.close()
    process.stderr.close()
    store.database.close()


def wait_for(url: str, name: str) -> bool:
    give_up = time.monotonic() + 15
    while named(url) != name:
        if time.monotonic() > give_up:
            return False
        time.sleep(0.2)
    return True


def test_a_new_certificate_is_taken_up_and_a_broken_one_is_not(
    served: tuple[str, str, Store, tuple[Path, Path], subprocess.Popen[str]], tmp_path: Path
) -> None:
    url, key, store, pair, process = served
    assert url.startswith("https://") and named(url) == "live"
    host, port = url.removeprefix("https://").split(":")
    about = find_server(store.root)
    assert about is not None and about["url"] == url
    open_one = http.client.HTTPSConnection(host, int(port), timeout=30, context=own_server(about["cert"]))

    def ask() -> int:
        body = {"model": "helpdesk", "messages": [{"role": "user", "content": "How do I make a form field optional?"}]}
        headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        open_one.request("POST", "/v1/chat/completions", json.dumps(body), headers)
        reply = open_one.getresponse()
        reply.read()
        return reply.status

    assert ask() == 200
    put(make(tmp_path, "next"), pair)
    assert wait_for(url, "next")
    assert ask() == 200, "a connection that was open goes on"
    pair[0].write_text("-----BEGIN CERTIFICATE-----\nnot one\n")
    time.sleep(2.5)
    assert named(url) == "next"
    put(make(tmp_path, "third"), pair)
    assert wait_for(url, "third")
    open_one.close()
    process.terminate()
    _, said = process.communicate(timeout=30)
    assert "can't be used" in said and "the one before stays" in said


def test_plain_http_is_not_answered(
    served: tuple[str, str, Store, tuple[Path, Path], subprocess.Popen[str]],
) -> None:
    host, port = served[0].removeprefix("https://").split(":")
    plain = http.client.HTTPConnection(host, int(port), timeout=10)
    with pytest.raises((http.client.HTTPException, OSError)):
        plain.request("GET", "/healthz")
        plain.getresponse()
    plain.close()


@pytest.mark.parametrize("wrong", ["no file", "no certificate", "another key", "password"])
def test_a_pair_that_cannot_be_used_is_told_at_once(tmp_path: Path, wrong: str) -> None:
    cert, key = make(tmp_path, "a", b"secret" if wrong == "password" else b"")
    if wrong == "no file":
        cert = tmp_path / "gone.pem"
    elif wrong == "no certificate":
        cert.write_text("hello")
    elif wrong == "another key":
        key = make(tmp_path, "b")[1]
    with pytest.raises(LuodiError, match="can't be used"):
        Certificate(cert, key)


def test_half_of_a_new_pair_changes_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cert, key = make(tmp_path, "a")
    certificate = Certificate(cert, key)
    other = make(tmp_path, "b")
    cert.write_bytes(other[0].read_bytes())
    with caplog.at_level(logging.WARNING, "luodi.gateway"):
        asyncio.run(certificate.look())
        asyncio.run(certificate.look())
        assert [r.levelname for r in caplog.records] == ["ERROR"], "told once"
        key.write_bytes(other[1].read_bytes())
        asyncio.run(certificate.look())
    assert [r.levelname for r in caplog.records] == ["ERROR", "WARNING"]
    cert.unlink()
    asyncio.run(certificate.look())
    assert caplog.records[-1].levelname == "ERROR"
