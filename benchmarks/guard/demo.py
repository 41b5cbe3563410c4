"""The template's project, built once into .cache/bench/demo and brought up to date by `luodi run`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.parts import CACHE

from luodi.release import Registry, Verified, verify
from luodi.store import Store

FOLDER = CACHE / "demo"
LUODI = str(Path(sys.executable).parent / "luodi")


def built() -> tuple[Store, Verified]:
    """Its store, and its newest release, verified."""
    if not (FOLDER / "luodi.yaml").is_file():
        FOLDER.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([LUODI, "new", FOLDER.name], cwd=FOLDER.parent, check=True)
    subprocess.run([LUODI, "run"], cwd=FOLDER, check=True)
    store = Store.of(FOLDER)
    return store, verify(Registry(store).all(FOLDER.name)[0], store, allow_failing=True)


def made_by(store: Store, stage: str) -> Path:
    """The folder that a stage made last."""
    newest = max((a for a in store.actions.all() if a.stage == stage), key=lambda a: a.time)
    return store.artifacts.get(newest.output).files
