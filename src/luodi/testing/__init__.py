"""For tests of Luodi and of what others add to it: a fake engine, a faulty server, a tiny release, conformance suites.

    FakeEngine          an engine that says what it is told          engine_kinds    makes it known to `open_engine`
    FaultyUpstream      an OpenAI-compatible server that goes wrong  call            one request to an ASGI application
    ScriptedUpstream    one that answers by rule: tools, schemas, choices, logprobs, embeddings
    tiny_release        a small, signed, real bundle in a store
    EngineConformance, StoreConformance, CacheConformance     classes of tests that yours inherit (need pytest)

Nothing of the product imports this package.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from luodi.testing.asgi import AsgiReply, call
from luodi.testing.bundle import DOCUMENTS, tiny_release
from luodi.testing.engine import FakeEngine, engine_kinds
from luodi.testing.scripted import ScriptedUpstream
from luodi.testing.upstream import FaultyUpstream

if TYPE_CHECKING:
    from luodi.testing.cache_suite import CacheConformance
    from luodi.testing.engine_suite import EngineConformance
    from luodi.testing.store_suite import StoreConformance

__all__ = [
    "DOCUMENTS",
    "AsgiReply",
    "CacheConformance",
    "EngineConformance",
    "FakeEngine",
    "FaultyUpstream",
    "ScriptedUpstream",
    "StoreConformance",
    "call",
    "engine_kinds",
    "tiny_release",
]


_SUITES = {
    "CacheConformance": "cache_suite",
    "EngineConformance": "engine_suite",
    "StoreConformance": "store_suite",
}


def __getattr__(name: str) -> Any:
    # The suites need pytest, which is not installed where only the fakes are used.
    if name in _SUITES:
        return getattr(import_module(f"luodi.testing.{_SUITES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
