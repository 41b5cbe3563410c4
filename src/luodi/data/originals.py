"""The originals stage: documents as they may be shown beside an answer. Personal data is blacked out in its place, so
that every other character stays where it is in the document, and what is cited can be held against it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from luodi.guard.privacy import Privacy, PrivacyPolicy
from luodi.pipeline import Context, Link, Row, shard

BLACK = "█"
_SHARDS = 16


class Params(BaseModel):
    disposition: str = "mask"
    kinds: dict[str, str] = {}
    engines: list[str] = []


def blacken(text: str, privacy: Privacy | None = None) -> tuple[str, int]:
    """`text` with every personal value as so many blocks, and how many values there are."""
    privacy = privacy or Privacy(PrivacyPolicy())
    parts: list[str] = []
    done, items = 0, [item for item in privacy.find(text) if privacy.policy.of(item.kind) != "keep"]
    for item in items:
        parts += (text[done : item.start], BLACK * (item.end - item.start))
        done = item.end
    return "".join([*parts, text[done:]]), len(items)


def blacken_shard(rows: list[Row], params: Any) -> tuple[list[Row], list[Link]]:
    """Some documents; without what only readers of their format need."""
    policy = {"default": params.disposition, "kinds": params.kinds, "engines": tuple(params.engines)}
    privacy = Privacy(PrivacyPolicy.model_validate(policy))
    out, links = [], []
    for row in rows:
        text, count = blacken(row.text, privacy)
        meta = {name: row.meta[name] for name in ("digest", "title", "date") if row.meta.get(name)}
        made = row.child("original", "blacked out", text=text, meta=meta)
        out.append(made)
        links.append(Link(made.id, (row.id,), "originals", f"{count} values blacked out", float(count)))
    return out, links


def run(ctx: Context) -> None:
    """Inputs: `rows` (documents)."""
    documents = ctx.rows()
    results = ctx.map(blacken_shard, shard(documents, _SHARDS))
    rows = sorted((r for kept, _ in results for r in kept), key=lambda r: (r.source, r.path))
    links = [link for _, made in results for link in made]
    ctx.write_rows(rows, links)
    values = sum(int(link.score) for link in links)
    ctx.summary = f"{len(rows):,} documents, {values} personal values blacked out"
