"""A gateway whose store holds the release that it serves, what that was trained on, and a key for each role."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from desks import ANSWER, ROLES, Desk, add_data_set

from luodi.gateway import App, Gateway, GatewayOptions, open_release
from luodi.gateway.admin import passwords
from luodi.release import Registry, verify
from luodi.store import Store
from luodi.testing import FakeEngine, engine_kinds, tiny_release


@pytest.fixture
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Hashes as they are, but with 8 MiB and one pass: some milliseconds."""
    monkeypatch.setattr(passwords, "_MEMORY_KIB", 8 * 1024)
    monkeypatch.setattr(passwords, "_PASSES", 1)
    passwords._hasher.cache_clear()
    yield
    passwords._hasher.cache_clear()


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a release and its data set, to be copied."""
    root = tmp_path_factory.mktemp("filled") / "store"
    store = Store(root)
    tiny_release(store)
    add_data_set(store)
    store.database.close()
    return root


@pytest.fixture
def open_desk(filled: Path, tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    opened: list[Desk] = []

    def open_(options: GatewayOptions | None = None, text: Any = ANSWER, database: str = "") -> Desk:
        root = tmp_path / f"store{len(opened)}"
        shutil.copytree(filled, root)
        store = Store(root, database)
        if database:  # the copied database stays behind
            copied = Store(root)
            found = Registry(copied).all("helpdesk")[0]
            copied.database.close()
            Registry(store).register("helpdesk", 1, found.digest, "pass", "test")
        with engine_kinds(fake=lambda folder, *, pick, threads: FakeEngine(text)):
            served = open_release(verify(Registry(store).find("helpdesk"), store))
        gateway = Gateway(served, store, options)
        desk = Desk(App(gateway), gateway, store)
        for role in ROLES:
            desk.ids[role], desk.keys[role] = gateway.keys.create(f"the {role}", role)
        opened.append(desk)
        return desk

    yield open_
    for desk in opened:
        if desk.app._admin is not None:
            desk.app._admin.close()
        desk.gateway.close()
        desk.store.database.close()


@pytest.fixture
def desk(open_desk: Callable[..., Desk]) -> Desk:
    return open_desk()
