"""Rows of a person in artifacts: those that hold a value, and what was made of them, over all runs."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from luodi.data.forgotten import Place, place_id
from luodi.gateway.forget.person import Person
from luodi.gateway.forget.texts import texts_of
from luodi.knowledge.reading import sections_of
from luodi.pipeline import Row, read_lineage
from luodi.pipeline.rows import LINEAGE, ROWS
from luodi.release import Registry
from luodi.store import Artifact, Store
from luodi.store.digest import list_files

_INDEX = ("index.sqlite", "index/index.sqlite")
_LEARNT = {"train", "compress", "compress-base", "routes"}  # stages that make weights


@dataclass(slots=True)
class Held:
    """What an artifact holds of a person.

    Attributes:
        rows: ids of rows, `trained` of which a model was trained on; `passages` of an index.
        files: other files with a value in them, or documents within an index.
        weights: whether it was learnt from such rows.
        release: its name, if it is a release.
    """

    digest: str
    stage: str
    rows: list[str] = field(default_factory=list)
    trained: int = 0
    passages: int = 0
    files: list[str] = field(default_factory=list)
    weights: bool = False
    release: str = ""

    @property
    def any(self) -> bool:
        return bool(self.rows or self.passages or self.files or self.weights)


@dataclass(slots=True)
class Rows:
    """What a search of the store's artifacts found.

    Attributes:
        ids: rows that hold a value, and those made of such a row.
        kept: one copy of each row, for an export: id -> text and place.
        places: in documents.
    """

    ids: set[str] = field(default_factory=set)
    kept: dict[str, dict[str, Any]] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)
    held: list[Held] = field(default_factory=list)


def search(store: Store, person: Person, places: list[Place]) -> Rows:
    """Every artifact, whichever run made it.

    Args:
        places: what was found in the project's own documents.
    """
    found = Rows(ids=set(person.rows), places={place.row_id: place for place in places})
    if not person.values and not found.ids:
        return found
    artifacts = list(store.artifacts.all())
    made: dict[str, set[str]] = {}
    for artifact in artifacts:
        if (artifact.files / ROWS).is_file():
            _look(artifact, person, found)
        if (artifact.files / LINEAGE).is_file():
            for link in read_lineage(artifact.files):
                for used in link.in_ids:
                    if link.out_id and link.out_id != used:
                        made.setdefault(used, set()).add(link.out_id)
    found.ids |= set(found.places)
    _follow(found.ids, made)
    releases = {r.digest: str(r) for r in Registry(store).all()}
    for artifact in artifacts:
        held = _held(artifact, person, found, releases.get(artifact.digest, ""))
        if held.any:
            found.held.append(held)
    _learnt(found.held, artifacts)
    return found


def batches(path: Path) -> Iterator[dict[str, Any]]:
    """Rows of a data set as they are stored, a few at a time."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=256):
            yield from batch.to_pylist()


def _text(row: dict[str, Any]) -> str:
    meta = str(row["meta"])
    if "\\" in meta:
        meta = meta.replace("\\n", "\n").replace('\\"', '"')
    return f"{row['title']}\n{row['text']}\n{meta}"


def _look(artifact: Artifact, person: Person, found: Rows) -> None:
    """Rows with a value; of whole documents the sections that have it."""
    clean = artifact.manifest().get("stage") == "clean"
    for row in batches(artifact.files / ROWS):
        if row["kind"] == "original" or not person.holds(_text(row)):
            if row["id"] in found.ids:
                found.kept.setdefault(row["id"], _kept(row))
            continue
        if row["kind"] == "document":
            document = Row(**row | {"meta": json.loads(row["meta"])})
            found.places |= {place.row_id: place for place in places_in(document, person)}
            continue
        found.ids.add(row["id"])
        found.kept.setdefault(row["id"], _kept(row))
        if clean:  # the one stage whose rows have their ids from their places
            place = Place(row["id"], row["source"], row["path"], row["start"], row["end"])
            found.places.setdefault(row["id"], place)


def _kept(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("kind", "source", "path", "title", "start", "end", "text")} | {
        "meta": json.loads(row["meta"])
    }


def places_in(document: Row, person: Person) -> Iterator[Place]:
    """The sections of a document that hold a value, and values outside of all sections."""
    covered: list[tuple[int, int]] = []
    for section in sections_of(document.path, document.text, document.meta.get("marks")):
        text = document.text[section.start : section.end]
        if person.holds(" › ".join(section.titles)) or person.holds(text):
            covered.append((section.start, section.end))
    spans = [span for span in person.spans(document.text) if not any(s <= span[0] and span[1] <= e for s, e in covered)]
    for start, end in (*covered, *spans):
        yield Place(place_id(document.id, start, end), document.source, document.path, start, end)


def _follow(ids: set[str], made: dict[str, set[str]]) -> None:
    todo = list(ids)
    while todo:
        for out in made.get(todo.pop(), ()):
            if out not in ids:
                ids.add(out)
                todo.append(out)


def _held(artifact: Artifact, person: Person, found: Rows, release: str) -> Held:
    stage = str(artifact.manifest().get("stage") or artifact.manifest()["kind"])
    held = Held(artifact.digest, stage, release=release)
    paths = {(place.source, place.path) for place in found.places.values()}
    for path in list_files(artifact.files):
        name = path.relative_to(artifact.files).as_posix()
        if name == ROWS:
            for row in batches(path):
                document = row["kind"] == "document" and (row["source"], row["path"]) in paths
                if row["id"] in found.ids or (document and person.holds(_text(row))) or _shows(row, person):
                    held.rows.append(row["id"])
                    held.trained += row["kind"] == "pair" and json.loads(row["meta"]).get("split") == "train"
        elif name == LINEAGE:
            continue  # ids and places
        elif name in _INDEX:
            held.passages, more = _index(path, person, found.ids)
            held.files += more
        elif person.values and any(map(person.holds, texts_of(path))):
            held.files.append(name)
    return held


def _shows(row: dict[str, Any], person: Person) -> bool:
    """An original is made of a whole document: what counts is whether a value can still be read in it."""
    return row["kind"] == "original" and person.holds(_text(row))


def _index(path: Path, person: Person, ids: set[str]) -> tuple[int, list[str]]:
    """How many passages of an index are a person's, and the documents in it that hold a value."""
    files: list[str] = []
    passages = 0
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as database:
        for row_id, title, text in database.execute("SELECT row_id, title, text FROM chunk"):
            passages += row_id in ids or person.holds(f"{title}\n{text}")
        tables = {row[0] for row in database.execute("SELECT name FROM sqlite_master")}
        for name, title, packed in (
            database.execute("SELECT path, title, text FROM document") if "document" in tables else ()
        ):
            if person.holds(f"{title}\n{zlib.decompress(packed).decode('utf-8', 'surrogatepass')}"):
                files.append(f"document {name}")
    return passages, files


def _learnt(held: list[Held], artifacts: list[Artifact]) -> None:
    """Add what was trained on rows that were found, and what was exported from that."""
    known = {each.digest: each for each in held}
    tainted = {each.digest for each in held if each.trained}
    grown = True
    while grown:
        grown = False
        for artifact in artifacts:
            manifest = artifact.manifest()
            inputs = set((manifest.get("parts") or {}).get("inputs", {}).values())
            if manifest.get("stage") in _LEARNT and artifact.digest not in tainted and inputs & tainted:
                tainted.add(artifact.digest)
                one = known.get(artifact.digest) or Held(artifact.digest, str(manifest["stage"]))
                one.weights = True
                if artifact.digest not in known:
                    known[artifact.digest] = one
                    held.append(one)
                grown = True
