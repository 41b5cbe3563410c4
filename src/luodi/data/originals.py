"""The originals stage: documents as they may be shown beside an answer. Personal data is blacked out in its place, so
that every other character stays where it is in the document, and what is cited can be held against it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from luodi.data.forgotten import Place
from luodi.guard.privacy import Privacy, PrivacyPolicy
from luodi.pipeline import Context, Link, Row, shard

BLACK = "█"
_SHARDS = 16


class Params(BaseModel):
    disposition: str = "mask"
    kinds: dict[str, str] = {}
    engines: list[str] = []
    forgotten: list[Place] = []


def black_out(text: str, places: list[Place]) -> str:
    """`text` with blocks at `places`; white space stays, so that lines are where they were."""
    for place in places:
        hidden = "".join(sign if sign.isspace() else BLACK for sign in text[place.start : place.end])
        text = text[: place.start] + hidden + text[place.end :]
    return text


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
        places = [place for place in params.forgotten if place.of(row.id)]
        text, count = blacken(black_out(row.text, places), privacy)
        meta = {name: row.meta[name] for name in ("digest", "title", "date") if row.meta.get(name)}
        if places:
            meta.pop("title", None)  # it may name the person, and is at no place of the text
        made = row.child("original", "blacked out", text=text, meta=meta)
        out.append(made)
        told = f"{count} values blacked out" + (f", {len(places)} places forgotten" if places else "")
        links.append(Link(made.id, (row.id,), "originals", told, float(count)))
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
