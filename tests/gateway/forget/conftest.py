"""A project with documents about people, its data stages run, a release, and calls of a person."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from luodi.gateway.cache.database import Keeper
from luodi.gateway.cache.entry import Entry
from luodi.gateway.forget import Person
from luodi.pipeline import Runner
from luodi.project import Loaded, load
from luodi.release import Release
from luodi.road import stages
from luodi.store import Store
from luodi.store.audit import LogRow, PayloadKeys, PayloadRow, append, new_id, put, seal
from luodi.store.database import now_ms
from luodi.store.sealing import Sealing
from luodi.store.tx import tx_of
from luodi.store.vault import VaultRows, scope_of
from luodi.testing import tiny_release

STAFF = """# Staff

## How do I reach the night desk?

The night desk answers from ten in the evening. Ask for 张三, who has had the desk for nine years now.

## Who repairs the printers?

The printers are repaired by the workshop in the cellar, and nobody needs to be asked for by name there.
"""
PRINTERS = """# Printers

## What does the red light mean?

A red light means that the paper tray is empty or that its cover is open. Close the cover and press start.
"""


@dataclass
class Home:
    """A project and its store, with what tests do to them."""

    root: Path
    store: Store

    @property
    def loaded(self) -> Loaded:
        return load(self.root)

    def run(self, to: str = "index") -> dict[str, str]:
        """Run the data stages; output by stage."""
        loaded = self.loaded
        runner = Runner(self.store, stages(loaded), project=self.root, seed=1)
        return {name: action.output for name, action in runner.run(to).items()}

    def person(self, subject: str = "user:4711", *values: str) -> Person:
        return Person(self.store.keys, subject, values or ("张三", "13800138000"))

    def call(self, subject: str, question: str) -> str:
        """A call as the gateway records it, of a tool, so that no release has to have answered it; its id."""
        id, now = new_id("req"), now_ms()
        key = PayloadKeys(self.store.keys.root).current()
        commitment, sealed = seal(id, {"messages": [["user", question]], "answer": "Yes."}, key)
        with self.store.database.begin() as connection:
            tx = tx_of(connection)
            append(tx, [LogRow(id, now, "tool", "key1", "helpdesk@1", "ok", body={"content": commitment})])
            put(tx, [PayloadRow(id, now, subject, sealed)])
        return id

    def answer(self, subject: str, record: str, text: str) -> str:
        """A kept answer, sealed as the gateway seals it."""
        key = f"{record:0>64}"
        sealed = Sealing(self.store).seal(text.encode(), b"cache" + key.encode())
        with self.store.database.begin() as connection:
            Keeper()(tx_of(connection), [Entry(key, "helpdesk@1", subject, record, now_ms() + 10**6, sealed)])
        return key

    def value(self, subject: str, placeholder: str, value: str) -> None:
        """A value behind a placeholder."""
        VaultRows(self.store).save(scope_of("team", "talk"), subject, {placeholder: value.encode()})

    def release(self, **documents: str) -> Release:
        return tiny_release(self.store, documents=documents or {"Night desk": "Ask for 张三 at the night desk."})

    def count(self, table: str) -> int:
        with self.store.database.begin() as connection:
            return int(tx_of(connection).all(f"SELECT COUNT(*) FROM {table}")[0][0])


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    root = tmp_path / "desk"
    (root / "documents").mkdir(parents=True)
    (root / "documents" / "staff.md").write_text(STAFF, "utf-8")
    (root / "documents" / "printers.md").write_text(PRINTERS, "utf-8")
    (root / "luodi.yaml").write_text(
        "name: helpdesk\nlanguages: [en, zh]\nknowledge:\n"
        '  - {source: "file:documents", glob: "**/*.md", licence: LicenseRef-own, basis: own}\n'
    )
    store = Store.of(root)
    yield Home(root, store)
    store.database.close()
