"""A real server on a real socket: an OpenAI client, a kill, an orderly end."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from luodi.errors import LuodiError
from luodi.gateway import ApiKeys
from luodi.gateway.server import find_server, listen
from luodi.store import Store
from luodi.store.migrations import log
from luodi.testing import tiny_release

Q = "How do I make a form field optional?"
ANSWER = "Set required=False on the field to make it optional. [1]"


class Served:
    def __init__(self, root: Path, delay: float, *text: str) -> None:
        self.store = Store(root)
        tiny_release(self.store)
        command = [sys.executable, str(Path(__file__).with_name("serving.py")), str(root), str(delay), *text]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.url, self.key = self.process.stdout.readline().split()
        host, port = self.url.removeprefix("http://").split(":")
        self.connection = http.client.HTTPConnection(host, int(port), timeout=30)

    def post(self, **more: Any) -> http.client.HTTPResponse:
        body = {"model": "helpdesk", "messages": [{"role": "user", "content": Q}]} | more
        headers = {"authorization": f"Bearer {self.key}", "content-type": "application/json"}
        self.connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
        return self.connection.getresponse()

    def rows(self) -> list[Any]:
        with self.store.database.begin() as connection:
            return list(connection.execute(select(log).where(log.c.kind == "call")).all())

    def end(self) -> None:
        self.connection.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(30)
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.store.database.close()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    made: list[Served] = []

    def start(delay: float = 0.0, *text: str) -> Served:
        made.append(Served(tmp_path / f"served{len(made)}", delay, *text))
        return made[-1]

    yield start
    for server in made:
        server.end()


def test_whole_and_streamed(served: Callable[..., Served]) -> None:
    server = served()
    reply = server.post()
    assert reply.status == 200 and json.load(reply)["choices"][0]["message"]["content"] == ANSWER
    streamed = server.post(stream=True)
    assert streamed.headers["content-type"].startswith("text/event-stream")
    assert streamed.read().endswith(b"data: [DONE]\n\n")
    found = find_server(server.store.root)
    assert found is not None and (found["url"], found["key"], found["release"]) == (
        server.url,
        server.key,
        "helpdesk@1",
    )


def test_the_record_is_there_when_the_caller_is_told_it_is_done(served: Callable[..., Served]) -> None:
    server = served()
    reply = server.post(stream=True)
    while (line := reply.readline()) and line != b"data: [DONE]\n":
        pass
    server.process.kill()
    assert line == b"data: [DONE]\n"
    server.process.wait(30)
    assert [r.outcome for r in server.rows()] == ["generated"]
    assert find_server(server.store.root) is None, "a killed server is not taken for a running one"


def test_sigterm_finishes_calls_and_leaves_in_order(served: Callable[..., Served]) -> None:
    server = served(0.05)
    told: list[bytes] = []
    began = threading.Event()

    def ask() -> None:
        reply = server.post(stream=True)
        told.append(reply.readline())
        began.set()
        told.append(reply.read())

    asking = threading.Thread(target=ask)
    asking.start()
    assert began.wait(30)
    server.process.send_signal(signal.SIGTERM)
    asking.join(30)
    assert told[-1].endswith(b"data: [DONE]\n\n"), "the call in flight was not finished"
    assert server.process.wait(30) == 0
    assert server.process.stdout is not None and server.process.stdout.read() == "left in order\n"
    assert not (server.store.root / "serving.json").exists()
    assert [bool(k["revoked_ms"]) for k in ApiKeys(server.store).all()] == [True]
    assert [r.outcome for r in server.rows()] == ["generated"]


def test_a_caller_that_hangs_up_is_recorded(served: Callable[..., Served]) -> None:
    server = served(0.05, f"{ANSWER} A field is required by default. [1]")
    reply = server.post(stream=True)
    assert reply.readline().startswith(b"data: {")  # the first sentence
    reply.close()
    server.connection.close()
    server.process.send_signal(signal.SIGINT)
    server.process.wait(30)
    assert [r.outcome for r in server.rows()] == ["cancelled"]


def test_openai_client(served: Callable[..., Served]) -> None:
    openai = pytest.importorskip("openai")
    server = served()
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key=server.key, max_retries=0) as client:
        asked = {"model": "helpdesk", "messages": [{"role": "user", "content": Q}]}
        whole = client.chat.completions.create(**asked)
        assert whole.choices[0].message.content == ANSWER and whole.usage.completion_tokens == 10
        assert whole.choices[0].message.annotations[0].url_citation.url.startswith("file:documents#doc0.md")
        chunks = list(client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True}))
        assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == ANSWER
        assert chunks[-1].usage == whole.usage
        assert [m.id for m in client.models.list()] == ["helpdesk", "helpdesk@1"]
        with pytest.raises(openai.NotFoundError) as missing:
            client.chat.completions.create(**asked | {"model": "gpt-5"})
        assert missing.value.code == "model_not_found" and missing.value.param == "model"
        with pytest.raises(openai.BadRequestError):
            client.chat.completions.create(**asked, n=2)
    stranger = openai.OpenAI(base_url=f"{server.url}/v1", api_key="wrong", max_retries=0)
    with stranger, pytest.raises(openai.AuthenticationError):
        stranger.chat.completions.create(**asked)


def test_an_address_that_is_taken() -> None:
    with listen("127.0.0.1", 0) as sock, pytest.raises(LuodiError, match="can't be listened on") as caught:
        listen("127.0.0.1", sock.getsockname()[1])
    assert "--port" in caught.value.hint
