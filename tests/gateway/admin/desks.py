"""A gateway with a key for each role, and what tests ask it with."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from luodi.gateway import App, Gateway
from luodi.pipeline import Row, write_rows
from luodi.store import Action, Store
from luodi.store.audit.checkpoint import make_checkpoint
from luodi.store.migrations import log
from luodi.testing import AsgiReply, call

QUESTION = "How do I make a form field optional?"
ANSWER = "Set required=False on the field to make it optional. [1]"
ROLES = ("admin", "operator", "reviewer", "auditor", "user")
PASSWORD = "four plain words here"


def pair(number: int, question: str, answer: str, split: str = "train") -> Row:
    meta = {"question": question, "answer": f"{answer} [1]", "split": split}
    return Row(
        f"pair{number:04d}", "pair", answer, "file:documents", f"doc{number}.md", question, line=number, meta=meta
    )


PAIRS = [
    pair(1, "How are form fields made optional?", "Set required=False on the field to make it optional."),
    pair(2, "How long does the cache keep a value?", "The default timeout of the cache is 300 seconds."),
    pair(3, "What makes a block atomic?", "Use transaction.atomic to make a block atomic."),
    pair(4, "Which field is optional?", "The field is optional if required=False is set on it.", split="gold"),
    pair(5, "How do I collect static files?", "运行 collectstatic 命令收集静态文件。"),
]


def add_data_set(store: Store) -> str:
    """What the tiny release says it was trained with, under the key that its passport names; the digest of its rows."""
    folder = store.folder("work") / "pairs"
    folder.mkdir()
    write_rows(folder, PAIRS)
    digest = store.artifacts.add(folder, kind="rows", about={"stage": "pairs", "key": "", "parts": {}}).digest
    store.actions.put(Action("0" * 64, "train", "0" * 64, {"inputs": {"rows": digest}}))
    return digest


@dataclass
class Desk:
    """A gateway with a key for each role, and what tests ask with."""

    app: App
    gateway: Gateway
    store: Store
    keys: dict[str, str] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)

    def send(self, method: str, path: str, *, role: str = "", key: str = "", **more: Any) -> AsgiReply:
        path, _, query = path.partition("?")
        key = key or self.keys.get(role, "")
        return asyncio.run(call(self.app, method, path, key=key, query=query.encode(), **more))

    def get(self, path: str, role: str = "admin", **more: Any) -> Any:
        reply = self.send("GET", path, role=role, **more)
        assert reply.status == 200, reply.body
        return reply.json()

    def change(self, method: str, path: str, body: Any = None, role: str = "admin", **more: Any) -> Any:
        reply = self.send(method, path, role=role, body=body if body is not None else {}, **more)
        assert reply.status in (200, 201), reply.body
        return reply.json()

    def ask(self, question: str = QUESTION, role: str = "user", **more: Any) -> str:
        """The record of an answer."""
        body = {"model": "helpdesk", "messages": [{"role": "user", "content": question}]} | more
        reply = self.send("POST", "/v1/chat/completions", role=role, body=body)
        assert reply.status == 200, reply.body
        record: str = reply.json()["luodi"]["record"]
        return record

    def log(self, kind: str = "") -> list[dict[str, Any]]:
        """Rows of the log in their order, with their bodies."""
        with self.store.database.begin() as connection:
            found = connection.execute(select(log).order_by(log.c.seq)).mappings().all()
        rows = [dict(r) | {"data": json.loads(r["body"]).get("data", {})} for r in found]
        return [r for r in rows if not kind or r["kind"] == kind]

    def checkpoint(self) -> None:
        make_checkpoint(self.store)
