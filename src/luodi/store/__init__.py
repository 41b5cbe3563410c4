"""What is kept: artifacts by content, action records, one database, keys.

.luodi/artifacts/   immutable content          .luodi/actions/   proof that a stage ran
.luodi/state/       what survives attempts     .luodi/work/      attempts, thrown away
.luodi/keys/        signing and trusted keys   .luodi/luodi.db   releases, keys, records
"""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from luodi.errors import StoreError
from luodi.store.actions import Action, Actions
from luodi.store.artifacts import Artifact, Artifacts
from luodi.store.atomic import disk_errors, write_bytes, write_json
from luodi.store.digest import canonical_json, digest_bytes, digest_file, digest_json, short_id

if TYPE_CHECKING:
    from luodi.store.database import Database
    from luodi.store.keys import Keys

__all__ = [
    "Action",
    "Actions",
    "Artifact",
    "Artifacts",
    "Store",
    "canonical_json",
    "digest_bytes",
    "digest_file",
    "digest_json",
    "short_id",
    "write_bytes",
    "write_json",
]


class Store:
    """Everything a project keeps, below one folder (`.luodi` in the project, or LUODI_HOME)."""

    def __init__(self, root: Path, database_url: str = "") -> None:
        self.root = root
        self._database_url = database_url
        if not root.exists():
            with disk_errors(f"the store {root} could not be made"):
                root.mkdir(parents=True, exist_ok=True)
                (root / ".gitignore").write_text("*\n")
        if not root.is_dir():
            raise StoreError(f"{root} is not a folder", "move it away, or set LUODI_HOME")
        self.artifacts = Artifacts(root / "artifacts")
        self.actions = Actions(root / "actions")

    @classmethod
    def of(cls, project: Path, database_url: str = "") -> Store:
        """The store of a project folder."""
        home = os.environ.get("LUODI_HOME")
        return cls(Path(home) if home else project / ".luodi", database_url)

    def folder(self, name: str) -> Path:
        """A folder of the store, made if missing (`work`, `state`, `downloads`, `reports`, …)."""
        path = self.root / name
        with disk_errors(f"{path} could not be made"):
            path.mkdir(parents=True, exist_ok=True)
        return path

    @cached_property
    def database(self) -> Database:
        from luodi.store.database import Database, sqlite_url

        return Database(self._database_url or sqlite_url(self.root / "luodi.db"))

    @cached_property
    def keys(self) -> Keys:
        from luodi.store.keys import Keys

        return Keys(self.root / "keys")
