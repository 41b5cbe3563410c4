"""Checkpoints and the places outside: files, HTTP, time stamps, and what happens when they fail."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from auditing import ask, fill, kinds, rebuild_state, run

from luodi.errors import IntegrityError, MissingExtraError, StoreError
from luodi.store import Store
from luodi.store.audit import Checkpointer, anchor_newest, make_checkpoint, verify
from luodi.store.audit.anchor import open_anchor, read_notes
from luodi.store.audit.note import parse


class Outside(BaseHTTPRequestHandler):
    """Keeps what it is sent; answers as it is told."""

    seen: list[tuple[str, str, bytes]]
    status = 200
    answer: Any = staticmethod(lambda body: b"")

    def _take(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        type(self).seen.append((self.command, self.path, body))
        answer = type(self).answer(body)
        self.send_response(type(self).status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_PUT = do_POST = _take

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def outside() -> Iterator[tuple[str, type[Outside]]]:
    handler = type("Handler", (Outside,), {"seen": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", handler
    server.shutdown()
    thread.join()
    server.server_close()


def anchors_of(store: Store, size: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(
        ask(store, "SELECT anchors FROM log_checkpoints WHERE size = ?", size)[0][0]
    )
    return found


def test_only_when_the_log_has_grown(store: Store) -> None:
    assert make_checkpoint(store) is None and anchor_newest(store, ["file:/nowhere/x"]) == []
    fill(store, 7)
    assert make_checkpoint(store) == 7 and make_checkpoint(store) is None
    note = parse(ask(store, "SELECT note FROM log_checkpoints")[0][0])
    assert note.checkpoint.size == 7 and note.checkpoint.origin.startswith("luodi/log/")
    fill(store, 1, start=7)
    assert make_checkpoint(store) == 8
    assert verify(store).checkpoints == 2


def test_a_log_that_became_shorter_is_not_signed(store: Store) -> None:
    fill(store, 7, checkpoint_every=7)
    run(store, "DELETE FROM log WHERE seq > 4")
    rebuild_state(store)
    with pytest.raises(IntegrityError, match="has 5 rows, its last checkpoint 7"):
        make_checkpoint(store)


def test_of_several_workers_one_makes_it(store: Store) -> None:
    fill(store, 20)
    store.keys.public_text()
    made: list[int | None] = []
    gate = threading.Barrier(4)

    def work() -> None:
        gate.wait()
        made.append(make_checkpoint(store))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made, key=str) == [20, None, None, None]


class TestAFile:
    def test_notes_one_after_another(self, store: Store, tmp_path: Path) -> None:
        path = tmp_path / "witness.txt"
        for n in range(3):
            fill(store, 5, start=5 * n)
            make_checkpoint(store)
            (entry,) = anchor_newest(store, [f"file:{path}"])
            assert "error" not in entry and anchor_newest(store, [f"file:{path}"]) == [], "once is enough"
        assert [parse(n).checkpoint.size for n in read_notes(path)] == [5, 10, 15]
        assert path.read_text().count("\n\n") == 6 and path.read_text().endswith("\n\n")
        assert verify(store, anchors=[path]).anchors == 3

    def test_what_a_full_disk_left_does_not_spoil_the_next(self, store: Store, tmp_path: Path) -> None:
        path = tmp_path / "witness.txt"
        fill(store, 5, checkpoint_every=5)
        anchor_newest(store, [f"file:{path}"])
        with path.open("a") as file:
            file.write("luodi/log/x\n10\nCsUYap")
        fill(store, 5, start=5, checkpoint_every=5)
        anchor_newest(store, [f"file:{path}"])
        report = verify(store, anchors=[path])
        assert kinds(report) == ["anchor.bad"] and report.anchors == 2

    def test_a_place_that_is_not_there(self, store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        fill(store, 5, checkpoint_every=5)
        target = f"file:{tmp_path / 'mount' / 'w.txt'}"
        with caplog.at_level(logging.WARNING):
            (entry,) = anchor_newest(store, [target])
        assert "could not be written" in entry["error"] and target in caplog.text
        assert anchors_of(store, 5) == [entry]
        (tmp_path / "mount").mkdir()
        (again,) = anchor_newest(store, [target])
        assert "error" not in again and anchors_of(store, 5) == [again], "the failure gives way to the success"

    def test_a_full_disk(self, store: Store, small_disk: Any) -> None:
        disk = small_disk()
        fill(store, 5, checkpoint_every=5)
        free = os.statvfs(disk)
        (disk / "filler").write_bytes(bytes(free.f_bavail * free.f_frsize))
        (entry,) = anchor_newest(store, [f"file:{disk / 'w'}"])
        assert "could not be written" in entry["error"]

    def test_a_witness_that_is_not_there(self, store: Store, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match="could not be read"):
            verify(store, anchors=[tmp_path / "absent"])


class TestHttp:
    def test_put_and_post(self, store: Store, outside: tuple[str, type[Outside]]) -> None:
        url, handler = outside
        handler.answer = staticmethod(lambda body: b"witness says yes")
        fill(store, 5, checkpoint_every=5)
        tried = anchor_newest(store, [f"{url}/bucket/", f"{url}/add"])
        note = ask(store, "SELECT note FROM log_checkpoints")[0][0].encode()
        assert handler.seen == [("PUT", "/bucket/5.note", note), ("POST", "/add", note)]
        assert [e["back"] for e in tried] == ["witness says yes"] * 2

    def test_an_error_is_recorded_and_tried_again(self, store: Store, outside: tuple[str, type[Outside]]) -> None:
        url, handler = outside
        handler.status = 503
        fill(store, 5, checkpoint_every=5)
        (entry,) = anchor_newest(store, [f"{url}/add"])
        assert entry["error"] == f"{url}/add answered 503"
        handler.status = 200
        assert "error" not in anchor_newest(store, [f"{url}/add"])[0]
        assert len(handler.seen) == 2 and len(anchors_of(store, 5)) == 1

    def test_nobody_answers(self, store: Store) -> None:
        fill(store, 5, checkpoint_every=5)
        (entry,) = anchor_newest(store, ["http://127.0.0.1:9/add"])
        assert "could not be reached" in entry["error"]


def authority(folder: Path) -> Any:
    """A time-stamping authority made with openssl: function from query to response."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    (folder / "tsa.cnf").write_text(
        "[tsa]\ndefault_tsa=c\n[c]\nserial=serial\nsigner_cert=tsa.pem\nsigner_key=tsa.key\n"
        "signer_digest=sha256\ndefault_policy=1.2.3.4\ndigests=sha256\n[e]\nextendedKeyUsage=critical,timeStamping\n"
        "[ca]\nbasicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\nsubjectKeyIdentifier=hash\n"
    )
    (folder / "serial").write_text("01\n")

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    (folder / "req.cnf").write_text(
        "[req]\ndistinguished_name=d\nx509_extensions=ca\n[d]\n" + (folder / "tsa.cnf").read_text()
    )
    openssl(
        "req",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-x509",
        "-subj",
        "/CN=root",
        "-keyout",
        "ca.key",
        "-out",
        "ca.pem",
        "-config",
        "req.cnf",
    )
    openssl(
        "req",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-subj",
        "/CN=tsa",
        "-keyout",
        "tsa.key",
        "-out",
        "tsa.csr",
        "-config",
        "req.cnf",
    )
    openssl(
        "x509",
        "-req",
        "-in",
        "tsa.csr",
        "-CA",
        "ca.pem",
        "-CAkey",
        "ca.key",
        "-CAcreateserial",
        "-out",
        "tsa.pem",
        "-extfile",
        "tsa.cnf",
        "-extensions",
        "e",
    )

    def answer(query: bytes) -> bytes:
        (folder / "q").write_bytes(query)
        openssl("ts", "-reply", "-config", "tsa.cnf", "-queryfile", "q", "-out", "r")
        return (folder / "r").read_bytes()

    return answer


class TestTimeStamps:
    def test_stamped_and_verified(self, store: Store, outside: tuple[str, type[Outside]], tmp_path: Path) -> None:
        from cryptography.x509 import load_pem_x509_certificates

        pytest.importorskip("rfc3161_client")
        folder = tmp_path / "tsa"
        folder.mkdir()
        url, handler = outside
        handler.answer = staticmethod(authority(folder))
        fill(store, 5, checkpoint_every=5)
        (entry,) = anchor_newest(store, [f"rfc3161:{url}"])
        assert "error" not in entry and len(entry["back"]) > 500
        roots = load_pem_x509_certificates((folder / "ca.pem").read_bytes())
        assert verify(store).stamps == verify(store, tsa_roots=roots).stamps == 1
        other = tmp_path / "other"
        other.mkdir()
        authority(other)
        strangers = load_pem_x509_certificates((other / "ca.pem").read_bytes())
        assert kinds(verify(store, tsa_roots=strangers)) == ["anchor.stamp"]
        fill(store, 1, start=5)
        make_checkpoint(store)
        run(store, "UPDATE log_checkpoints SET anchors = ? WHERE size = 6", json.dumps([entry]))
        (problem,) = verify(store).problems
        assert problem.kind == "anchor.stamp" and "6 rows" in problem.detail and "something else" in problem.detail

    def test_what_is_no_stamp(self, store: Store, outside: tuple[str, type[Outside]]) -> None:
        pytest.importorskip("rfc3161_client")
        url, handler = outside
        handler.answer = staticmethod(lambda _: b"<html>")
        fill(store, 5, checkpoint_every=5)
        (entry,) = anchor_newest(store, [f"rfc3161:{url}"])
        assert "no time stamp" in entry["error"]

    def test_without_the_library(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import sys

        monkeypatch.setitem(sys.modules, "rfc3161_client", None)
        with pytest.raises(MissingExtraError) as caught:
            open_anchor("rfc3161:https://tsa.example")
        assert caught.value.hint == "pip install 'luodi[audit]'"


@pytest.mark.parametrize(
    "target", ["", "file:", "file:relative.txt", "ftp://x/", "s3://bucket", "rfc3161:tsa.example", "/x"]
)
def test_a_place_that_is_none(target: str) -> None:
    with pytest.raises(StoreError, match="no place for checkpoints"):
        open_anchor(target)


class TestTheCheckpointer:
    def test_after_so_many_rows(self, store: Store, tmp_path: Path) -> None:
        path = tmp_path / "w.txt"
        path.touch()

        async def main() -> None:
            checkpointer = Checkpointer(store, [f"file:{path}"], seconds=3600, rows=10)
            checkpointer.start()
            fill(store, 9)
            checkpointer.count(9)
            fill(store, 3, start=9)
            checkpointer.count(3)
            while not path.read_text():
                await asyncio.sleep(0.005)
            fill(store, 2, start=12)
            await checkpointer.close()

        asyncio.run(asyncio.wait_for(main(), 30))
        assert [parse(n).checkpoint.size for n in read_notes(path)] == [12, 14], "the last one when it is closed"
        assert verify(store, anchors=[path]).ok

    def test_after_so_much_time(self, store: Store) -> None:
        async def main() -> None:
            fill(store, 3)
            checkpointer = Checkpointer(store, seconds=0.01)
            checkpointer.start()
            while ask(store, "SELECT count(*) FROM log_checkpoints") == [(0,)]:
                await asyncio.sleep(0.005)
            await checkpointer.close()

        asyncio.run(asyncio.wait_for(main(), 30))

    def test_a_failure_ends_nothing(
        self, store: Store, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def main() -> None:
            fill(store, 3)
            checkpointer = Checkpointer(store, ["http://127.0.0.1:9/"], seconds=0.01)
            assert await checkpointer.once() == 3, "it is made though it could not be put outside"
            fill(store, 1, start=3)
            with monkeypatch.context() as broken:
                for error in (IntegrityError("the log is broken"), ZeroDivisionError("a mistake")):
                    broken.setattr(
                        "luodi.store.audit.checkpoint.make_checkpoint",
                        lambda _, error=error: (_ for _ in ()).throw(error),
                    )
                    assert await checkpointer.once() is None
            assert await checkpointer.once() == 4

        with caplog.at_level(logging.WARNING):
            asyncio.run(main())
        for told in ("could not be put to http://127.0.0.1:9/", "the log is broken", "a mistake"):
            assert told in caplog.text

    def test_a_wrong_place_is_told_at_once(self, store: Store) -> None:
        with pytest.raises(StoreError, match="no place"):
            Checkpointer(store, ["nowhere"])
