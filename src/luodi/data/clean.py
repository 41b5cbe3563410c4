"""The clean stage: documents to sections of readable text. Every section left out has its reason."""

from __future__ import annotations

import unicodedata
from collections import Counter
from typing import Any

from pydantic import BaseModel

from luodi.data.forgotten import Place, changed_since
from luodi.knowledge.reading import Section, place_of, sections_of
from luodi.pipeline import Context, Link, Measurement, Row, shard

_SHARDS = 16


class Params(BaseModel):
    min_characters: int = 40
    max_characters: int = 40_000
    forgotten: list[Place] = []


def clean_shard(rows: list[Row], params: Any) -> tuple[list[Row], list[Link]]:
    """Sections of some documents."""
    kept, links = [], []
    forgotten = {place.row_id for place in params.forgotten}
    for row in rows:
        for section in sections_of(row.path, row.text, row.meta.get("marks")):
            made = _section_row(row, section)
            reason = "forgotten" if made.id in forgotten else _reason(made, section, params)
            if reason:
                links.append(Link("", (row.id,), "clean", f"{row.path}:{section.line}: {reason}"))
            else:
                kept.append(made)
                links.append(Link(made.id, (row.id,), "clean", "section"))
    return kept, links


def _section_row(row: Row, section: Section) -> Row:
    blocks = [
        {"kind": b.kind, "text": unicodedata.normalize("NFC", b.text), "start": b.start, "end": b.end, "line": b.line}
        for b in section.blocks
        if b.text.strip()
    ]
    return row.child(
        "section",
        f"{section.start}:{section.end}",
        text="\n\n".join(str(b["text"]) for b in blocks),
        title=" › ".join(section.titles),
        start=section.start,
        end=section.end,
        line=section.line,
        meta=_meta(row, section, blocks),
    )


def _meta(row: Row, section: Section, blocks: list[dict[str, Any]]) -> dict[str, Any]:
    meta = {"blocks": blocks, "gold": row.meta.get("gold", False)}
    if "places" in row.meta:
        for block in blocks:
            block["place"] = list(place_of(row.meta["places"], block["start"]))
    return meta


def _reason(row: Row, section: Section, params: Any) -> str:
    prose = sum(len(b["text"]) for b in row.meta["blocks"] if b["kind"] != "code")
    if not row.text:
        return "heading only"
    if prose == 0:
        return "code only"
    if prose < params.min_characters:
        return "too short"
    if len(row.text) > params.max_characters:
        return "too long"
    if sum(map(str.isalpha, row.text)) < 0.4 * (len(row.text) - sum(map(str.isspace, row.text))):
        return "mostly not letters"
    return ""


def run(ctx: Context) -> None:
    """Inputs: `rows` (documents)."""
    documents = ctx.rows()
    results = ctx.map(clean_shard, shard(documents, _SHARDS))
    order = {(r.source, r.path): i for i, r in enumerate(documents)}
    rows = sorted((r for kept, _ in results for r in kept), key=lambda r: (order[(r.source, r.path)], r.start))
    links = [link for _, made in results for link in made]
    ctx.write_rows(rows, links)
    dropped = Counter(link.reason.rpartition(": ")[2] for link in links if not link.out_id)
    ctx.write_json("dropped.json", dict(sorted(dropped.items())))
    total = len(rows) + sum(dropped.values())
    reasons = ", ".join(f"{n} {reason}" for reason, n in dropped.most_common(3))
    ctx.measure(
        Measurement("sections_dropped", "data", sum(dropped.values()) / total, "share", total, "lower", note=reasons)
    )
    ctx.summary = f"{len(rows):,} sections kept, {sum(dropped.values()):,} dropped" + (
        f" ({reasons})" if reasons else ""
    )
    changed = changed_since(ctx.params.forgotten, {(d.source, d.path): d.id for d in documents})
    if changed:  # where the places were in another version says nothing of this one
        ctx.summary += f"; changed since something in it was forgotten, so look again: {', '.join(changed[:5])}"
