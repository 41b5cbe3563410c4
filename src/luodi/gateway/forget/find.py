"""Where a person is found: the database, artifacts of all runs, the project's files, the store's caches, backups."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from luodi.data.documents import read_documents, read_one
from luodi.data.forgotten import Place
from luodi.errors import LuodiError
from luodi.gateway.forget import artifacts, kept
from luodi.gateway.forget.artifacts import Held, Rows, places_in
from luodi.gateway.forget.kept import Kept
from luodi.gateway.forget.person import Person
from luodi.gateway.forget.texts import texts_of
from luodi.pipeline import Row
from luodi.pipeline.sources import MAX_FILE
from luodi.project import Loaded
from luodi.store import Store
from luodi.store.digest import list_files

FOLDER = "privacy"  # of the project: what it forgets, and certificates
_NEVER = {".git", ".luodi", "__pycache__", ".venv"}
_CACHES = ("cache", "state", "work", "logs", "reports")


@dataclass(frozen=True, slots=True)
class Document:
    """A file of the project, or of a package that it reads, that holds a value: it is a person's to edit.

    Attributes:
        count: how often; -1 if the file can't be read.
    """

    source: str
    path: str
    count: int


@dataclass(slots=True)
class Found:
    """All that a search found; nothing of it is shown with a value in it.

    Attributes:
        files: of the store's caches and reports.
        backups: that this store made, with file, time, and whether it is still there.
    """

    kept: Kept
    rows: Rows
    documents: list[Document]
    files: list[Path]
    backups: list[dict[str, Any]]

    @property
    def releases(self) -> list[Held]:
        return [held for held in self.rows.held if held.release]

    @property
    def intermediate(self) -> list[Held]:
        return [held for held in self.rows.held if not held.release]

    def counts(self) -> dict[str, int]:
        """How much there is of each kind."""
        k = self.kept
        return {
            "content": len(k.records),
            "content_of_others": len(k.mentions),
            "content_unopened": k.unopened,
            "vault": len(k.vault),
            "kept_answers": len(k.answers) + len(k.redis),
            "notes": len(k.notes) + len(k.deliveries),
            "rows": len(self.rows.kept),
            "places": len(self.rows.places),
            "artifacts": len(self.intermediate),
            "releases": len(self.releases),
            "documents": len(self.documents),
            "files": len(self.files),
            "log_rows": k.log_rows,
            "backups": len(self.backups),
        }

    @property
    def any(self) -> bool:
        return any(count for name, count in self.counts().items() if name not in ("backups", "content_unopened"))


def find(store: Store, loaded: Loaded, person: Person, *, actor: str) -> Found:
    """Search everything.

    Raises:
        StoreError: Redis, where the project names one, does not answer.
    """
    database = kept.search(store, person, redis=loaded.project.serve.redis, actor=actor)
    documents, places = _documents(store, loaded, person)
    rows = artifacts.search(store, person, places)
    named = {(d.source, d.path) for d in documents}
    packages = {(p.source, p.path) for p in rows.places.values() if not p.source.startswith("file:")}
    documents += [Document(source, path, 1) for source, path in sorted(packages - named)]
    files = _files(store, person) if person.values else []
    return Found(database, rows, documents, files, kept.backups(store))


def _documents(store: Store, loaded: Loaded, person: Person) -> tuple[list[Document], list[Place]]:
    """Files of the project with a value in them, and its places in those that answers are made of."""
    if not person.values:
        return [], []
    found: list[Document] = []
    places: list[Place] = []
    seen: set[Path] = set()
    cache, downloads = store.folder("cache"), store.folder("downloads")
    for source in loaded.project.knowledge:
        folder = loaded.root / source.source.removeprefix("file:")
        if not source.source.startswith("file:") or not folder.exists():
            continue
        try:
            read = list(
                read_documents(source, project=loaded.root, downloads=downloads, progress=lambda *_: None, cache=cache)
            )
        except LuodiError:  # the glob matches nothing: `luodi check` says so
            continue
        for document in read:
            seen.add((folder if folder.is_file() else folder / document.path).resolve())
            if document.problem and document.problem != "empty file":
                found.append(Document(source.source, document.path, -1))
            elif count := person.count(document.text) or person.holds(str(document.meta)):
                found.append(Document(source.source, document.path, int(count)))
                row = Row(document.id, "document", document.text, source.source, document.path, meta=document.meta)
                places += places_in(row, person)
    for path in _project_files(loaded.root, store.root):
        if path.resolve() in seen:
            continue
        name = path.relative_to(loaded.root).as_posix()
        try:
            size = path.stat().st_size
            one = read_one("project", name, path.read_bytes(), cache) if size <= MAX_FILE else None
        except OSError:
            found.append(Document("project", name, -1))
            continue
        if one is not None and (count := person.count(one.text)):
            found.append(Document("project", name, count))
    return found, list(dict.fromkeys(places))


def _project_files(root: Path, store: Path) -> Iterator[Path]:
    for path in list_files(root):
        parts = path.relative_to(root).parts
        if _NEVER.isdisjoint(parts) and parts[0] != FOLDER and not path.is_relative_to(store) and not path.is_symlink():
            yield path


def _files(store: Store, person: Person) -> list[Path]:
    found = []
    for name in _CACHES:
        for path in list_files(store.root / name):
            if path.is_file() and not path.is_symlink() and any(map(person.holds, texts_of(path))):
                found.append(path)
    return found
