"""A gateway over a real signed release with a fake engine; the bundle is made once, records are fresh for each test."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select

from luodi.gateway import App, Gateway, GatewayOptions, open_release
from luodi.release import Verified, verify
from luodi.store import Store
from luodi.store.migrations import log
from luodi.testing import DOCUMENTS, FakeEngine, engine_kinds, tiny_release

GOOD = "Set required=False on the field to make it optional. [1]"
QUESTION = "How do I make a form field optional?"


@dataclass
class House:
    """A gateway with what tests look at."""

    app: App
    gateway: Gateway
    engine: FakeEngine
    store: Store
    key_id: str
    key: str

    def rows(self) -> list[Any]:
        """The records of calls, as `SimpleNamespace`s, in their order."""
        with self.store.database.begin() as connection:
            found = connection.execute(select(log).where(log.c.kind == "call").order_by(log.c.seq)).mappings().all()
        return [SimpleNamespace(**(dict(r) | json.loads(r["body"]) | {"data": r["body"]})) for r in found]


@pytest.fixture(scope="session")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Verified]:
    """Verified releases, one for each set of documents and options."""
    store = Store(tmp_path_factory.mktemp("bundles") / "store")
    made: dict[str, Verified] = {}

    def bundle(documents: Any = DOCUMENTS, **options: Any) -> Verified:
        key = repr((sorted(documents.items()), sorted(options.items())))
        if key not in made:
            made[key] = verify(tiny_release(store, documents=documents, **options), store)
        return made[key]

    return bundle


@pytest.fixture
def open_house(bundles: Callable[..., Verified], tmp_path: Path) -> Iterator[Callable[..., House]]:
    """A function that opens a gateway: the engine, how it runs, then what `tiny_release` takes."""
    opened: list[House] = []

    def open_(engine: FakeEngine | None = None, run: GatewayOptions | None = None, **options: Any) -> House:
        engine = engine or FakeEngine(GOOD)
        with engine_kinds(fake=lambda folder, *, pick, threads: engine):
            served = open_release(bundles(**options))
        store = Store(tmp_path / f"store{len(opened)}")
        gateway = Gateway(served, store, run)
        key_id, key = gateway.keys.create("test")
        opened.append(House(App(gateway), gateway, engine, store, key_id, key))
        return opened[-1]

    yield open_
    for house in opened:
        house.gateway.close()
        house.store.database.close()


@pytest.fixture
def house(open_house: Callable[..., House]) -> House:
    return open_house()
