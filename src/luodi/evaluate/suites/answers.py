"""Answers kept by what was asked of which model, so that nothing is asked twice and a killed run goes on.

One file of lines for each model and engine: cache/evaluate/DIGEST.jsonl. Lines are appended whole; what a kill cut
off at the end is not read.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from luodi.engine import Cancel, Delta, Emit, Engine, EngineInfo, Request, answer_all
from luodi.store import digest_json
from luodi.store.artifacts import list_content

_TOLD = {"luodi-model.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "config.json"}


class Kept:
    """The answers of one model under one engine. Safe to use from several threads."""

    def __init__(self, folder: Path, model: str, engine: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"{digest_json({'model': model, 'engine': engine})[:32]}.jsonl"
        self._lock = threading.Lock()
        self._known: dict[str, Any] = {}
        if self.path.is_file():
            with self.path.open("rb") as file:
                for line in file:
                    if line.endswith(b"\n"):
                        try:
                            key, value = json.loads(line)
                        except ValueError:  # two writers, or a disk that lost a part
                            continue
                        self._known[str(key)] = value

    def get(self, key: str) -> Any:
        """What was kept; None if nothing."""
        return self._known.get(key)

    def put(self, key: str, value: Any) -> None:
        line = json.dumps([key, value], ensure_ascii=False).encode() + b"\n"
        with self._lock:
            self._known[key] = value
            handle = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                end = os.fstat(handle).st_size
                torn = end and os.pread(handle, 1, end - 1) != b"\n"
                os.write(handle, (b"\n" if torn else b"") + line)
            finally:
                os.close(handle)


def weights_digest(folder: Path) -> str:
    """Digest of what an engine answers from, which is the same in the artifact of the weights and in a release."""
    files = [f for f in list_content(folder) if f["path"].endswith(".gguf") or f["path"] in _TOLD]
    return digest_json(sorted([f["path"], f["digest"]] for f in files))


def key_of(request: Request) -> str:
    """What is asked and how, as a digest."""
    s = request.sampling
    return digest_json(
        {
            "messages": [[m.role, m.content] for m in request.messages],
            "sampling": [s.max_tokens, s.temperature, s.top_p, list(s.stop), s.seed, s.json_schema],
        }
    )


@dataclass(slots=True)
class _Keeping:
    """An engine whose answers are kept the moment they end."""

    engine: Engine
    kept: Kept

    @property
    def info(self) -> EngineInfo:
        return self.engine.info

    def submit(self, request: Request, emit: Emit) -> Cancel:
        parts: list[str] = []

        def keep(delta: Delta) -> None:
            parts.append(delta.text)
            if delta.finish in ("stop", "length"):
                self.kept.put(key_of(request), "".join(parts).strip())
            emit(delta)

        return self.engine.submit(request, keep)

    def count(self, text: str) -> int:
        return self.engine.count(text)

    def close(self) -> None:
        self.engine.close()


def answers(
    open_: Callable[[], Engine], kept: Kept, requests: Sequence[Request], progress: Callable[[float, float], None]
) -> tuple[list[str], int]:
    """The answer to every request, and how many were asked now; the engine is opened only if one has to be.

    Raises:
        EngineError: an answer failed; those that were there before are kept.
    """
    missing = {key: r for r in requests if kept.get(key := key_of(r)) is None}
    done = len(requests) - len(missing)
    progress(done, len(requests))
    if missing:
        engine = open_()
        try:
            answer_all(
                _Keeping(engine, kept), list(missing.values()),
                progress=lambda n, of: progress(done + n, len(requests)),
            )  # fmt: skip
        finally:
            engine.close()
    return [str(kept.get(key_of(r))) for r in requests], len(missing)
