"""An OpenAI-compatible server on the loopback that answers by rule: tools, schemas, choices, logprobs, embeddings."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

from luodi.testing.loopback import Loopback

Json = dict[str, Any]

_DELAY_S = 0.05


class ScriptedUpstream(Loopback):
    """Use it as a context manager. What it says follows from what it is asked:

    the first tool is called with an example of its arguments, unless a tool has just answered; a schema is answered
    with an example of it; what a tool said is repeated; else "You said: " and the last of the user's words.
    The model's name chooses how: "slow" waits 50 ms before every token, "broken" fails in mid-stream, "failing"
    answers 500, "busy" 429.

    Attributes:
        bodies: what each chat completion asked for.
        left: set once a caller has gone away in mid-stream; `left_at` is when, by `time.time()`.
    """

    def __init__(self) -> None:
        self.bodies: list[Json] = []
        self.left = threading.Event()
        self.left_at = 0.0
        super().__init__(_handler(self))


def example(schema: Json, root: Json | None = None) -> Any:
    """A value that keeps to a JSON schema of the plain sort."""
    root = schema if root is None else root
    if "$ref" in schema:
        found: Any = root
        for step in schema["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        return example(found, root)
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return example(schema[several][0], root)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type", "object")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        return {name: example(part, root) for name, part in schema.get("properties", {}).items()}
    if kind == "array":
        return [example(schema.get("items", {"type": "string"}), root)]
    plain: Json = {"string": "example", "integer": 3, "number": 0.5, "boolean": True}
    return plain.get(kind)


def _said(message: Json) -> str:
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return " ".join(p.get("text", f"<{p['type']}>") for p in content)


def _answer(body: Json) -> tuple[str, Json | None]:
    """Text, or the function that is called."""
    last = body["messages"][-1]
    if last["role"] == "tool":
        return f"The tool said: {_said(last)}", None
    if body.get("tools") and body.get("tool_choice") != "none":
        function = body["tools"][0]["function"]
        arguments = json.dumps(example(function.get("parameters") or {}))
        return "", {"name": function["name"], "arguments": arguments}
    wanted = body.get("response_format") or {}
    if wanted.get("type") == "json_schema":
        return json.dumps(example(wanted["json_schema"]["schema"])), None
    if wanted.get("type") == "json_object":
        return '{"ok": true}', None
    users = [m for m in body["messages"] if m["role"] == "user"]
    return f"You said: {_said(users[-1]) if users else 'nothing'}", None


def _tokens(body: Json, text: str) -> tuple[list[str], str]:
    stops = body.get("stop") or []
    for stop in [stops] if isinstance(stops, str) else stops:
        text = text.partition(stop)[0]
    words = text.split(" ")
    tokens = [w if n == 0 else f" {w}" for n, w in enumerate(words)]
    most = body.get("max_tokens") or len(tokens)
    return tokens[:most], "length" if len(tokens) > most else "stop"


def _logprobs(body: Json, tokens: list[str]) -> Json | None:
    if not body.get("logprobs"):
        return None
    top = int(body.get("top_logprobs") or 0)
    return {
        "content": [
            {"token": t, "logprob": -0.25, "bytes": list(t.encode()),
             "top_logprobs": [{"token": t, "logprob": -0.25, "bytes": list(t.encode())}][:top]}
            for t in tokens
        ],
        "refusal": None,
    }  # fmt: skip


def _usage(body: Json, count: int) -> Json:
    prompt = sum(len(_said(m).split()) for m in body["messages"])
    return {"prompt_tokens": prompt, "completion_tokens": count, "total_tokens": prompt + count}


def _whole(body: Json) -> Json:
    text, function = _answer(body)
    tokens, finish = _tokens(body, text)
    message: Json = {"role": "assistant", "content": "".join(tokens)}
    if function is not None:
        message = {"role": "assistant", "content": None,
                   "tool_calls": [{"id": "call_1", "type": "function", "function": function}]}  # fmt: skip
        finish = "tool_calls"
    count = body.get("n") or 1
    choices = [
        {"index": n, "message": message, "finish_reason": finish, "logprobs": _logprobs(body, tokens)}
        for n in range(count)
    ]
    return {"object": "chat.completion", "choices": choices, "usage": _usage(body, len(tokens) * count)}


def _chunks(body: Json) -> Iterator[Json]:
    text, function = _answer(body)
    tokens, finish = _tokens(body, text)
    count = body.get("n") or 1
    for n in range(count):
        yield {"index": n, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}
    if function is not None:
        finish, tokens = "tool_calls", []
        head = {"index": 0, "id": "call_1", "type": "function", "function": {"name": function["name"], "arguments": ""}}
        yield {"index": 0, "delta": {"tool_calls": [head]}, "finish_reason": None}
        for at in range(0, len(function["arguments"]), 7):
            part = {"index": 0, "function": {"arguments": function["arguments"][at : at + 7]}}
            yield {"index": 0, "delta": {"tool_calls": [part]}, "finish_reason": None}
    for token in tokens:
        for n in range(count):
            yield {"index": n, "delta": {"content": token}, "logprobs": _logprobs(body, [token]), "finish_reason": None}
    for n in range(count):
        yield {"index": n, "delta": {}, "finish_reason": finish}


def _handler(upstream: ScriptedUpstream) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            return

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except ConnectionError:
                if not upstream.left.is_set():
                    upstream.left_at = time.time()
                upstream.left.set()
            self.close_connection = True

        def do_GET(self) -> None:
            self._send(200, {"object": "list", "data": [{"id": "scripted", "object": "model"}]})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            model = body["model"]
            if model in ("failing", "busy"):
                status = 500 if model == "failing" else 429
                self._send(status, {"error": {"message": f"the model is {model}", "type": "server_error"}})
            elif self.path.endswith("/embeddings"):
                data = [
                    {"object": "embedding", "index": i, "embedding": _vector(t)} for i, t in enumerate(body["input"])
                ]
                tokens = sum(len(t.split()) for t in body["input"])
                self._send(200, {"object": "list", "data": data, "usage": {"prompt_tokens": tokens}})
            else:
                upstream.bodies.append(body)
                if body.get("stream"):
                    self._stream(body)
                else:
                    upstream.closing.wait(_DELAY_S if model == "slow" else 0)
                    self._send(200, _whole(body))

        def _send(self, status: int, value: Any) -> None:
            raw = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(raw)))
            self.send_header("connection", "close")
            self.end_headers()
            self.wfile.write(raw)

        def _stream(self, body: Json) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.send_header("transfer-encoding", "chunked")
            self.send_header("connection", "close")
            self.end_headers()
            count = 0
            for choice in _chunks(body):
                if body["model"] == "slow":
                    upstream.closing.wait(_DELAY_S)
                if body["model"] == "broken" and count == 2:
                    return self._event({"error": {"message": "out of memory", "type": "server_error"}}, last=True)
                count += bool(choice["delta"].get("content"))
                self._event({"object": "chat.completion.chunk", "choices": [choice]})
            self._event({"object": "chat.completion.chunk", "choices": [], "usage": _usage(body, count)})
            self._event("[DONE]", last=True)
            return None

        def _event(self, value: Any, *, last: bool = False) -> None:
            line = b"data: " + (value if isinstance(value, str) else json.dumps(value)).encode() + b"\n\n"
            self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line) + (b"0\r\n\r\n" if last else b""))

    return Handler


def _vector(text: str) -> list[float]:
    return [byte / 255 for byte in hashlib.sha256(text.encode()).digest()[:8]]
