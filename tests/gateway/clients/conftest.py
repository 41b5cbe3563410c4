"""A gateway in a process of its own with models of every temper behind it, shared by the clients' tests."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from luodi.store import Store
from luodi.store.migrations import log
from luodi.testing import ScriptedUpstream, tiny_release

MODELS = ["chat", "slow", "broken", "failing", "busy"]


@dataclass
class Server:
    """Where it is, and what lies behind it."""

    url: str
    key: str
    store: Store
    upstream: ScriptedUpstream

    def outcomes(self) -> list[str]:
        with self.store.database.begin() as connection:
            return list(connection.execute(select(log.c.outcome).where(log.c.kind == "call")).scalars())


def model(name: str, url: str) -> dict[str, Any]:
    upstream = {
        "url": url, "model": "scripted" if name == "chat" else name, "price": {"input": 1, "output": 2},
        "takes": ["tools", "json_schema", "images", "n", "logprobs", "embed"],
    }  # fmt: skip
    return {"name": name, "upstreams": [upstream]}


@contextmanager
def running(root: Path) -> Iterator[Server]:
    store = Store(root)
    with ScriptedUpstream() as upstream:
        tiny_release(store, models=[model(name, upstream.url) for name in MODELS])
        command = [sys.executable, str(Path(__file__).parents[1] / "serving.py"), str(root), "0"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        try:
            url, key = process.stdout.readline().split()
            yield Server(url, key, store, upstream)
        finally:
            process.terminate()
            process.wait(30)
            process.stdout.close()
            store.database.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("clients") / "store") as made:
        yield made


@pytest.fixture
def fresh_server(tmp_path: Path) -> Iterator[Server]:
    """One whose models have not failed yet: what fails too often is left alone for a while."""
    with running(tmp_path / "store") as made:
        yield made
