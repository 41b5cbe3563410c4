"""`luodi webhook` in a project."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from receiver import SECRET, Receiver

from luodi.cli import main
from luodi.gateway.events import emit
from luodi.gateway.webhooks.hooks import open_hooks
from luodi.gateway.webhooks.outbox import spread
from luodi.project import load
from luodi.store import Store
from luodi.store.database import now_ms
from luodi.store.tx import tx_of


@pytest.fixture
def luodi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs `luodi` in a project with one webhook: its code, its output, its errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LUODI_HOME", raising=False)
    monkeypatch.setenv("LANG", "en_US.UTF-8")

    def run(url: str, *words: str, secret: str = SECRET) -> SimpleNamespace:
        (tmp_path / "luodi.yaml").write_text(
            f"name: helpdesk\nserve:\n  webhooks:\n    - name: ops\n      url: {url}\n      secret: env:OPS_SECRET\n"
            "      events: [key.revoked]\n"
        )
        monkeypatch.setenv("OPS_SECRET", secret)
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main(list(words))
        said = capsys.readouterr()
        return SimpleNamespace(returncode=left.value.code or 0, stdout=said.out, stderr=said.err)

    return run


def test_a_ping(luodi: Any, tmp_path: Path) -> None:
    with Receiver() as receiver:
        done = luodi(receiver.url, "webhook", "test", "ops", "--json")
        (got,) = receiver.got
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said == {"webhook": "ops", "status": "200", "id": got.headers["webhook-id"]}
    assert got.event["type"] == "ping" and got.signed_with(SECRET)
    listed = luodi(receiver.url, "webhook", "deliveries")
    assert "delivered" in listed.stdout and said["id"] in listed.stdout
    assert "key.revoked" in luodi(receiver.url, "webhook", "ls").stdout


def test_a_ping_that_is_not_taken_is_sent_again(luodi: Any, tmp_path: Path) -> None:
    with Receiver(lambda n: 500) as receiver:
        done = luodi(receiver.url, "webhook", "test", "ops")
        assert done.returncode == 2 and "500" in done.stderr and "Traceback" not in done.stderr
        id = done.stderr.rpartition("id ")[2].strip()
        assert luodi(receiver.url, "webhook", "retry", id).returncode == 0
    (row,) = [
        json.loads(line) for line in luodi("https://x.example/", "webhook", "deliveries", "--json").stdout.splitlines()
    ]
    assert (row["id"], row["attempts"], row["done_ms"], row["status"]) == (id, 0, 0, "500") and "body" not in row


def test_mistakes(luodi: Any) -> None:
    for words, secret in ((("test", "none"), SECRET), (("test", "ops"), "x"), (("retry", "evt_0000"), SECRET)):
        done = luodi("https://x.example/", "webhook", *words, secret=secret)
        assert done.returncode == 2 and "Traceback" not in done.stderr
    assert luodi("http://x.example/", "webhook", "test", "ops").returncode == 2


def test_the_project_file_says_what_a_gateway_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "luodi.yaml").write_text(
        "name: helpdesk\nserve:\n  webhooks: [{name: ops, url: 'https://x.example/', secret: env:OPS_SECRET}]\n"
    )
    monkeypatch.setenv("OPS_SECRET", SECRET)
    from luodi.gateway import GatewayOptions

    options = GatewayOptions.of(load(tmp_path).project.serve, tmp_path)
    hooks = open_hooks(json.loads(json.dumps(options.webhooks)))  # as it goes to a worker
    store = Store(tmp_path / "store")
    with store.database.begin() as connection:
        emit(connection, "review.waiting", {"record": "rec_1"})
        assert spread(tx_of(connection), hooks.values(), now_ms()) == 1
    store.database.close()
