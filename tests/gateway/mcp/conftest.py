"""A gateway in a process of its own with /mcp, an imported tool and an API behind it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from luodi.gateway import ApiKeys
from luodi.store import Store
from luodi.store.migrations import log
from luodi.testing import tiny_release

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tools"))
from shop import ATTACK, Shop, document  # noqa: E402


@dataclass
class Serving:
    url: str
    key: str
    store: Store
    shop: Shop

    @property
    def mcp(self) -> str:
        return f"{self.url}/mcp"

    def new_key(self) -> tuple[str, str]:
        return ApiKeys(self.store).create("somebody")

    def rows(self, key_id: str = "") -> list[dict[str, Any]]:
        """The rows of calls and tool calls, of one key if it is named."""
        with self.store.database.begin() as connection:
            where = log.c.actor == key_id if key_id else log.c.kind.in_(["call", "tool"])
            found = connection.execute(select(log).where(where).order_by(log.c.seq)).mappings().all()
        return [dict(r) | json.loads(r["body"]) for r in found]


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("mcp")
    store = Store(folder / "store")
    tiny_release(store)
    api = document()
    api["paths"]["/orders"]["get"]["description"] = ATTACK  # a file from elsewhere that wants to steer its readers
    with Shop() as shop:
        spec = shop.spec(folder, "getOrder", "findOrders", document=api)
        options = {"mcp": True, "tools": [spec], "mcp_hosts": ["gateway.example"]}
        process = subprocess.Popen(
            [sys.executable, str(HERE.parent / "serving.py"), str(store.root), "0"], stdout=subprocess.PIPE, text=True,
            env=os.environ | {"LUODI_TEST_OPTIONS": json.dumps(options)},
        )  # fmt: skip
        assert process.stdout is not None
        try:
            url, key = process.stdout.readline().split()
            yield Serving(url, key, store, shop)
            process.terminate()
            assert "left in order" in process.communicate(timeout=20)[0]
        finally:
            process.kill()
            process.wait(10)
            process.stdout.close()
            store.database.close()
