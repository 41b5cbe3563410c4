"""The collect stage: documents with their licence, their basis and the digest of what they were read from."""

from __future__ import annotations

from fnmatch import fnmatch

from pydantic import BaseModel

from luodi.data.documents import read_documents
from luodi.errors import SourceError
from luodi.pipeline import Context, Link, Measurement, Row
from luodi.project import Source


class Params(BaseModel):
    sources: list[Source]


def run(ctx: Context) -> None:
    """No inputs. Writes document rows; what could not be read is in `quarantine.json` with its reason, and what
    nobody sees who looks at a file is in `hidden.json`: it is not read, since it may carry instructions.
    """
    sources: list[Source] = ctx.params.sources
    if not sources:
        raise SourceError("the project names no knowledge", "add a source under `knowledge:` in luodi.yaml")
    rows: list[Row] = []
    links: list[Link] = []
    quarantine: list[dict[str, str]] = []
    hidden: list[dict[str, str]] = []
    known = 0
    for number, source in enumerate(sources):

        def report(done: float, total: float, note: str, number: int = number) -> None:
            ctx.progress(number + done / total, len(sources), note)

        for document in read_documents(
            source, project=ctx.project, downloads=ctx.downloads, progress=report, cache=ctx.store.folder("cache")
        ):
            if document.problem:
                quarantine.append({"source": document.source, "path": document.path, "reason": document.problem})
                links.append(Link("", (document.id,), "collect", f"{document.path}: {document.problem}"))
                continue
            hidden += [
                {"source": document.source, "path": document.path, "why": why, "place": f"{unit} {at}", "text": text}
                for text, why, unit, at in document.meta.get("hidden", [])
            ]
            known += source.licence != "unknown" and source.basis != "unknown"
            rows.append(
                Row(
                    id=document.id,
                    kind="document",
                    text=document.text,
                    source=document.source,
                    path=document.path,
                    end=len(document.text),
                    licence=source.licence,
                    basis=source.basis,
                    meta={
                        "digest": document.digest,
                        "gold": bool(source.gold) and fnmatch(document.path, source.gold),
                        **document.meta,
                    },
                )
            )
            links.append(Link(document.id, (), "collect", f"{document.source} {document.path}"))
    if not rows:
        raise SourceError(
            f"none of {len(quarantine)} documents can be read; the first: {quarantine[0]['path']}:"
            f" {quarantine[0]['reason']}"
        )
    ctx.write_rows(rows, links)
    ctx.write_json("quarantine.json", quarantine)
    ctx.write_json("hidden.json", hidden)
    n = len(rows)
    ctx.measure(
        Measurement(
            "licences_known",
            "compliance",
            known / n,
            "share",
            n,
            "higher",
            note="licence and legal basis of every document",
        )
    )
    ctx.measure(
        Measurement(
            "documents_quarantined",
            "data",
            float(len(quarantine)),
            "documents",
            n + len(quarantine),
            "lower",
            note="; ".join(f"{q['path']}: {q['reason']}" for q in quarantine[:5]),
        )
    )
    ctx.measure(
        Measurement(
            "hidden_text",
            "data",
            float(len({(h["source"], h["path"]) for h in hidden})),
            "documents",
            n,
            "lower",
            note="; ".join(f"{h['path']}, {h['place']}: {h['why']}" for h in hidden[:5])
            or "no text that a reader of the file does not see",
        )
    )
    size = sum(len(r.text) for r in rows) / 1e6
    licences = len({r.licence for r in rows})
    aside = f", {len(quarantine)} set aside" if quarantine else ""
    ctx.summary = f"{n:,} documents, {size:.1f} M characters, {licences} licence{'s' * (licences != 1)}{aside}" + (
        f", hidden text in {len({h['path'] for h in hidden})}" if hidden else ""
    )
