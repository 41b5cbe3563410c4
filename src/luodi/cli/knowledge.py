"""`luodi knowledge`"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from luodi.cli.context import loaded_of, show_of, store_of

if TYPE_CHECKING:
    from luodi.cli.show import Show
    from luodi.data.documents import Document
    from luodi.project import Loaded

_FOLDER = "documents"
_STATES = {
    "new": "knowledge_new", "changed": "knowledge_changed", "same": "knowledge_same", "refused": "knowledge_refused",
    "read": "knowledge_read",
}  # fmt: skip


@click.group()
def command() -> None:
    """Documents that answers come from: put them into the project, and see how they are read.

    \b
    Examples:
      luodi knowledge add manuals/ policy.pdf
      luodi knowledge check
      luodi knowledge find "sick leave"
    """


@command.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--licence", default="LicenseRef-own", help="SPDX identifier of the licence, if the source is new.")
@click.option("--basis", default="own", help="The legal basis for using them, if the source is new.")
@click.pass_context
def add(ctx: click.Context, paths: tuple[Path, ...], licence: str, basis: str) -> None:
    """Copy files and folders into the project's documents/, and name it in luodi.yaml if it is not there yet.

    A file that can't be read is not copied. What is there already and did not change is left as it is.
    """
    from luodi.data.documents import read_one
    from luodi.data.place import name_source, put

    show, loaded = show_of(ctx), loaded_of(ctx)
    cache = store_of(ctx, loaded).folder("cache")
    target = loaded.root / _FOLDER
    documents, states = [], []
    for path in paths:
        files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        for file in files:
            name = file.relative_to(path.parent).as_posix() if path.is_dir() else file.name
            data = file.read_bytes()
            document = read_one(f"file:{_FOLDER}", name, data, cache)
            documents.append(document)
            states.append("refused" if document.problem else put(target / name, data))
    named = any(s != "refused" for s in states) and name_source(loaded.root / "luodi.yaml", _FOLDER, licence, basis)
    _table(show, documents, states)
    if named and not show.as_json:
        show.line(show.say("knowledge_named", folder=f"file:{_FOLDER}"))
    if not show.as_json:
        show.line(show.say("knowledge_next"))
    if all(state == "refused" for state in states):
        ctx.exit(1)


@command.command()
@click.option("--all", "whole", is_flag=True, help="List every document, not only those with something to tell.")
@click.pass_context
def check(ctx: click.Context, whole: bool) -> None:
    """Read every document of the project: what is set aside and why, and what is hidden in which file.

    Ends with 1 if a document can't be read.
    """
    show, loaded = show_of(ctx), loaded_of(ctx)
    store = store_of(ctx, loaded)
    documents = _read(loaded, store.folder("cache"), store.folder("downloads"))
    told = [d for d in documents if whole or show.as_json or d.problem or d.meta.get("hidden") or d.meta.get("notes")]
    _table(show, told, ["refused" if d.problem else "read" for d in told])
    if not show.as_json:
        read = [d for d in documents if not d.problem]
        size = sum(len(d.text) for d in read)
        show.line(show.say("knowledge_read_all", n=len(read), all=len(documents), size=f"{size / 1e6:.2f}"))
    if any(d.problem for d in documents):
        ctx.exit(1)


@command.command()
@click.argument("question")
@click.option("--limit", "-n", default=5, show_default=True, type=click.IntRange(1, 100), help="Passages to show.")
@click.option("--release", "-r", help="NAME, NAME@VERSION or NAME@CHANNEL; by default the live release.")
@click.pass_context
def find(ctx: click.Context, question: str, limit: int, release: str | None) -> None:
    """The passages that a release finds for a question, best first, with their places in the documents."""
    from luodi.knowledge.vectors import open_index
    from luodi.release import Registry, verify

    show, loaded = show_of(ctx), loaded_of(ctx)
    store = store_of(ctx, loaded)
    index = open_index(verify(Registry(store).find(release or loaded.project.name), store).folder / "index")
    try:
        rows, data = [], []
        for hit in index.search(question, limit):
            c = hit.chunk
            place = f"{c.path}:{c.line}" if not c.unit or c.unit == "line" else f"{c.path}, {c.unit} {c.at}"
            rows.append([f"{hit.score:.3f}", place, c.title.rpartition(" › ")[2], " ".join(c.text.split())[:160]])
            data.append(
                {
                    "score": round(hit.score, 4), "path": c.path, "line": c.line, "unit": c.unit, "at": c.at,
                    "start": c.start, "end": c.end, "title": c.title, "text": c.text, "source": c.source,
                    "lexical": hit.lexical, "dense": hit.dense, "similarity": round(hit.similarity, 4),
                }
            )  # fmt: skip
    finally:
        index.close()
    if not rows and not show.as_json:
        show.line(show.say("nothing_here"))
        return
    show.table(["score", "place", "section", "passage"], rows, data)


def _read(loaded: Loaded, cache: Path, downloads: Path) -> list[Document]:
    from luodi.data.documents import read_documents

    documents: list[Document] = []
    for source in loaded.project.knowledge:
        if not source.source.startswith("knowledge:"):
            documents += read_documents(
                source, project=loaded.root, downloads=downloads, cache=cache,
                progress=lambda done, total, note: None,
            )  # fmt: skip
    return documents


def _table(show: Show, documents: list[Document], states: list[str]) -> None:
    from luodi.knowledge.reading import format_of

    rows, data = [], []
    for document, state in zip(documents, states, strict=True):
        hidden = document.meta.get("hidden", [])
        notes = [document.problem, *document.meta.get("notes", [])]
        notes += (
            [show.say("knowledge_hidden", n=len(hidden), why=", ".join(sorted({h[1] for h in hidden})))]
            if hidden
            else []
        )
        told: dict[str, Any] = {
            "source": document.source, "path": document.path, "state": state, "problem": document.problem,
            "format": document.meta.get("format") or format_of(document.path), "characters": len(document.text),
            "digest": document.digest, "notes": document.meta.get("notes", []),
            "hidden": [{"text": h[0], "why": h[1], "place": f"{h[2]} {h[3]}"} for h in hidden],
        }  # fmt: skip
        rows.append([document.path, show.say(_STATES[state]), told["format"], f"{len(document.text):,}",
                     "; ".join(filter(None, notes))])  # fmt: skip
        data.append(told)
    if rows or show.as_json:
        show.table(["file", "state", "format", "characters", "note"], rows, data)
