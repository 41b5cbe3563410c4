"""Garbage: artifacts, actions and attempts that neither the latest run nor anything kept needs."""

from __future__ import annotations

import json
import shutil

from luodi.pipeline.lease import lease
from luodi.pipeline.runner import LATEST
from luodi.store import Artifact, Store


def _live_keys(store: Store) -> set[str]:
    """Keys of the latest run's actions and of their shards."""
    path = store.root / "runs" / LATEST
    keys = set(json.loads(path.read_bytes()).values()) if path.exists() else set()
    for key in list(keys):
        action = store.actions.get(key)
        keys |= set(action.shards) if action else set()
    return keys


def garbage(store: Store, keep: set[str]) -> list[Artifact]:
    """Artifacts that may go; `keep` holds digests that must stay whatever the latest run says."""
    needed = set(keep)
    for key in _live_keys(store):
        action = store.actions.get(key)
        if action:
            needed.add(action.output)
    return [a for a in store.artifacts.all() if a.digest not in needed]


def sweep(store: Store, keep: set[str]) -> tuple[int, int]:
    """Remove garbage; returns (artifacts, bytes). Raises: StoreError while a run is under way."""
    with lease(store.root / "run.lock"):
        keys = _live_keys(store)
        found = garbage(store, keep)
        for action in list(store.actions.all()):
            if action.key not in keys:
                store.actions.remove(action.key)
        freed = sum(store.artifacts.remove(a) for a in found)
        for name in ("work", "state"):
            shutil.rmtree(store.root / name, ignore_errors=True)
    return len(found), freed
