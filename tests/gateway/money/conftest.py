"""Gateways in processes of their own, over one store, with a scripted model behind them."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from luodi.gateway import ApiKeys
from luodi.store import Store
from luodi.testing import ScriptedUpstream, tiny_release


class Running:
    """One gateway."""

    def __init__(self, store: Path, url: str, options: dict[str, Any], kill: str) -> None:
        command = [sys.executable, str(Path(__file__).with_name("running.py")), str(store), url, json.dumps(options)]
        self.process = subprocess.Popen([*command, *([kill] if kill else [])], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()
        assert self.url, "the gateway did not start"
        self._opened: list[http.client.HTTPConnection] = []
        self.host, self.port = self.url.removeprefix("http://").split(":")

    def post(self, key: str, question: str, model: str = "words", **more: Any) -> http.client.HTTPResponse:
        """The response, whose body is not read yet. Raises: OSError if the gateway is gone."""
        connection = http.client.HTTPConnection(self.host, int(self.port), timeout=30)
        self._opened.append(connection)
        sent = {"model": model, "messages": [{"role": "user", "content": question}]} | more
        connection.request("POST", "/v1/chat/completions", json.dumps(sent), {"authorization": f"Bearer {key}"})
        return connection.getresponse()

    def end(self) -> None:
        for connection in self._opened:
            connection.close()
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(30)
        finally:
            self.process.kill()
            if self.process.stdout is not None:
                self.process.stdout.close()


class Site:
    """A store with a release, a key, a model, and the gateways that serve it."""

    def __init__(self, root: Path, model: ScriptedUpstream) -> None:
        self.root, self.model = root, model
        self.store = Store(root)
        tiny_release(self.store)
        self.key_id, self.key = ApiKeys(self.store).create("test", team="shop")
        self.gateways: list[Running] = []

    def start(self, kill: str = "", **options: Any) -> Running:
        self.gateways.append(Running(self.root, self.model.url, {"exact_cache": False} | options, kill))
        return self.gateways[-1]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with ScriptedUpstream() as model:
        made = Site(tmp_path / "store", model)
        yield made
        for gateway in made.gateways:
            gateway.end()
        made.store.database.close()
