"""The scrub stage: personal data masked or dropped, and a sampled check of what is left."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from typing import Any

from luodi.guard import find_personal, mask
from luodi.guard.samples import planted
from luodi.pipeline import Context, Link, Measurement, Row, shard
from luodi.pipeline.intervals import clopper_pearson_upper, wilson

_SHARDS = 16


def scrub_shard(rows: list[Row], params: Any) -> tuple[list[Row], list[Link]]:
    """Rows with personal data dealt with; rows without any keep their id."""
    kept, links = [], []
    for row in rows:
        found: Counter[str] = Counter()
        blocks = []
        for block in row.meta["blocks"]:
            text, items = mask(block["text"])
            found.update(item.kind for item in items)
            blocks.append(block | {"text": text} if items else block)
        title, items = mask(row.title)
        found.update(item.kind for item in items)
        if not found:
            kept.append(row)
            links.append(Link(row.id, (row.id,), "scrub", "nothing found"))
            continue
        kinds = ", ".join(f"{n} {kind}" for kind, n in sorted(found.items()))
        if params.disposition == "drop":
            links.append(Link("", (row.id,), "scrub", f"dropped: {kinds}", float(found.total())))
            continue
        meta = row.meta | {"blocks": blocks}
        made = row.child("section", "scrub", text="\n\n".join(b["text"] for b in blocks), title=title, meta=meta)
        kept.append(made)
        links.append(Link(made.id, (row.id,), "scrub", f"masked: {kinds}", float(found.total())))
    return kept, links


def left_after(ctx: Context, rows: list[Row], n: int) -> tuple[int, int, Counter[str]]:
    """Plant `n` values in sections, mask, and count the values that can still be read: (left, n, left by kind)."""
    rng = random.Random(ctx.seed)
    left: Counter[str] = Counter()
    values = planted(rng, n)
    for sentence, kind, value in values:
        host = rng.choice(rows).text if rows else ""
        at = host.find("\n\n", rng.randrange(len(host) or 1))
        text = f"{host[:at]} {sentence} {host[at:]}" if at >= 0 else f"{host} {sentence}"
        if value in mask(text)[0]:
            left[kind] += 1
    return left.total(), len(values), left


def run(ctx: Context) -> None:
    """Inputs: `rows` (sections)."""
    sections = ctx.rows()
    results = ctx.map(scrub_shard, shard(sections, _SHARDS))
    by_place = {(r.source, r.path, r.start): r for kept, _ in results for r in kept}
    rows = [by_place[place] for r in sections if (place := (r.source, r.path, r.start)) in by_place]
    links = [link for _, made in results for link in made]
    ctx.write_rows(rows, links)
    found = sum(int(link.score) for link in links)
    n = ctx.params.check_sample
    if n:
        left, n, kinds = left_after(ctx, rows, n)
        low, high = wilson(left, n)
        worst = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(3))
        ctx.measure(
            Measurement(
                "planted_personal_data_left",
                "compliance",
                left / n,
                "share",
                n,
                "lower",
                low,
                high,
                seed=ctx.seed,
                note="values planted in sections and still readable after masking" + (f": {worst}" if worst else ""),
            )
        )
        sample = random.Random(ctx.seed + 1).sample(rows, min(n, len(rows)))
        again = sum(bool(find_personal(replace(r).text)) for r in sample)
        ctx.measure(
            Measurement(
                "personal_data_found_again",
                "compliance",
                again / len(sample),
                "share",
                len(sample),
                "lower",
                0.0,
                clopper_pearson_upper(again, len(sample)),
                seed=ctx.seed,
                note="scrubbed sections in which a second look finds an item",
            )
        )
    changed = sum(link.reason.startswith(("masked", "dropped")) for link in links)
    ctx.summary = (
        f"{found} personal items {'masked' if ctx.params.disposition == 'mask' else 'dropped'} in {changed} sections"
    )
