"""A gateway on a store with several releases, each with an engine of its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from luodi.gateway import ApiKeys, App, Gateway, GatewayOptions, open_release
from luodi.gateway.served import Served
from luodi.release import Registry, verify
from luodi.store import Store
from luodi.testing import AsgiReply, FakeEngine, call, engine_kinds, tiny_release

GOOD = "Set required=False on the field to make it optional. [1]"
QUESTION = "How do I make a form field optional?"


@dataclass
class Several:
    """Gateways that serve one store. `engines[VERSION]` is what a version answers with."""

    store: Store
    engines: dict[int, FakeEngine] = field(default_factory=dict)
    gateways: list[Gateway] = field(default_factory=list)
    key: str = ""

    def opener(self, release: str) -> Served:
        found = Registry(self.store).find(release)
        engine = self.engines[found.version]
        with engine_kinds(fake=lambda folder, *, pick, threads: engine):
            return open_release(verify(found, self.store))

    def open(self, **options: Any) -> Gateway:
        live = Registry(self.store).find("helpdesk@live")
        run = GatewayOptions(**({"exact_cache": False} | options))
        gateway = Gateway(self.opener(str(live)), self.store, run, opener=self.opener, follow=True)
        self.gateways.append(gateway)
        return gateway

    async def ask(self, gateway: Gateway, user: str = "", model: str = "helpdesk", **more: Any) -> AsgiReply:
        sent = {"model": model, "messages": [{"role": "user", "content": QUESTION}], **more}
        if user:
            sent["user"] = user
        return await call(App(gateway), "POST", "/v1/chat/completions", body=sent, key=self.key)


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with four releases of helpdesk; version 1 is live, 4 did not pass its gates."""
    root = tmp_path_factory.mktemp("shelf") / "store"
    store = Store(root)
    for version in range(4):
        tiny_release(store, failing=version == 3, passages=1 + version % 3)
    registry = Registry(store)
    registry.move(registry.find("helpdesk@1"), "live", "test")
    store.database.close()
    return root


@pytest.fixture
def several(shelf: Path, tmp_path: Path) -> Iterator[Several]:
    root = tmp_path / "store"
    shutil.copytree(shelf, root)
    store = Store(root)
    made = Several(store, {n: FakeEngine(GOOD) for n in (1, 2, 3)})
    with ExitStack() as stack:
        made.key = ApiKeys(store).create("test")[1]
        yield made
        for gateway in made.gateways:
            stack.callback(gateway.close)
    store.database.close()
