"""Where weights come from; how text comes out."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path

from luodi.engine.base import (
    Answer,
    Cancel,
    Delta,
    Emit,
    Engine,
    EngineInfo,
    Message,
    Request,
    Sampling,
    answer_all,
    stream,
)
from luodi.errors import EngineError

__all__ = [
    "Answer",
    "Cancel",
    "Delta",
    "Emit",
    "Engine",
    "EngineInfo",
    "Message",
    "Request",
    "Sampling",
    "answer_all",
    "open_engine",
    "stream",
]


def open_engine(kind: str, folder: Path, *, pick: str = "large", threads: int = 0) -> Engine:
    """The engine named `kind`, or the server at that URL, ready to answer with the model in `folder`.

    Engines are found through the entry-point group `luodi.engines`; ours are registered there too.

    Raises:
        EngineError: there is no such engine, or it can't load the model.
    """
    if kind.startswith(("http://", "https://")):
        from luodi.engine.remote import RemoteEngine

        return RemoteEngine(kind)
    found = {point.name: point for point in entry_points(group="luodi.engines")}
    if kind not in found:
        raise EngineError(
            f"there is no engine {kind!r}", f"known are {', '.join(sorted(found))}, or the URL of a server"
        )
    engine: Engine = found[kind].load()(folder, pick=pick, threads=threads)
    return engine
