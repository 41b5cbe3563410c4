"""The scrub stage: personal data masked, dropped or behind pseudonyms, and a sampled check of what is left."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

from luodi.errors import SourceError
from luodi.guard import find_personal
from luodi.guard.privacy import Privacy, PrivacyPolicy
from luodi.guard.samples import planted
from luodi.guard.vault import Vault, Vaults
from luodi.pipeline import Context, Link, Measurement, Row, shard
from luodi.pipeline.intervals import clopper_pearson_upper, wilson

_SHARDS = 16
_KEEP_S = 10 * 365 * 86_400.0  # as long as the data set may be in use
OWNER, CONVERSATION = "project", "training data"  # of the vault that holds what pseudonyms stand for


def policy_of(params: Any) -> PrivacyPolicy:
    """The policy that the options of the stage write."""
    return PrivacyPolicy(default=params.disposition, kinds=params.kinds, engines=tuple(params.engines))


def scrub_shard(rows: list[Row], params: Any, vault: Vault | None = None) -> tuple[list[Row], list[Link]]:
    """Rows with personal data dealt with; rows without any keep their id.

    Raises:
        SourceError: an engine that the project asks for does not run.
    """
    privacy = Privacy(policy_of(params))
    kept, links = [], []
    for row in rows:
        found: Counter[str] = Counter()
        blocks = []
        for block in row.meta["blocks"]:
            text, items = privacy.apply(block["text"], vault)
            found.update(item.kind for item in items if privacy.policy.of(item.kind) != "keep")
            blocks.append(block | {"text": text} if items else block)
        title, items = privacy.apply(row.title, vault)
        found.update(item.kind for item in items if privacy.policy.of(item.kind) != "keep")
        if not found:
            kept.append(row)
            links.append(Link(row.id, (row.id,), "scrub", "nothing found"))
            continue
        kinds = ", ".join(f"{n} {kind}" for kind, n in sorted(found.items()))
        if any(privacy.policy.of(kind) == "drop" for kind in found):
            links.append(Link("", (row.id,), "scrub", f"dropped: {kinds}", float(found.total())))
            continue
        meta = row.meta | {"blocks": blocks}
        made = row.child("section", "scrub", text="\n\n".join(b["text"] for b in blocks), title=title, meta=meta)
        kept.append(made)
        links.append(Link(made.id, (row.id,), "scrub", f"masked: {kinds}", float(found.total())))
    if privacy.missing:  # a data set that was not looked through must not pass for one that was
        name, reason = next(iter(privacy.missing.items()))
        raise SourceError(f"scrub.engines: {name} does not run: {reason}", "install its extra, or take it off the list")
    return kept, links


def _with_pseudonyms(ctx: Context, shards: list[list[Row]]) -> list[tuple[list[Row], list[Link]]]:
    """Here and not on other machines: the values must not lie beside finished shards."""
    vaults = Vaults(ctx.store, keep_s=_KEEP_S)
    vault = vaults.open(OWNER, CONVERSATION, limit=1_000_000)
    results = [scrub_shard(rows, ctx.params, vault) for rows in shards]
    vaults.keep(vault, OWNER, CONVERSATION, "data")
    return results


def left_after(ctx: Context, rows: list[Row], n: int) -> tuple[int, int, Counter[str]]:
    """Plant `n` values in sections, mask, and count the values that can still be read: (left, n, left by kind)."""
    rng = random.Random(ctx.seed)
    left: Counter[str] = Counter()
    privacy = Privacy(policy_of(ctx.params))
    values = [row for row in planted(rng, n) if privacy.policy.of(row[1]) != "keep"]
    for sentence, kind, value in values:
        host = rng.choice(rows).text if rows else ""
        at = host.find("\n\n", rng.randrange(len(host) or 1))
        text = f"{host[:at]} {sentence} {host[at:]}" if at >= 0 else f"{host} {sentence}"
        if value in privacy.apply(text)[0]:
            left[kind] += 1
    return left.total(), len(values), left


def run(ctx: Context) -> None:
    """Inputs: `rows` (sections)."""
    sections = ctx.rows()
    policy = policy_of(ctx.params)
    shards = list(shard(sections, _SHARDS))
    pseudonyms = "pseudonym" in (policy.default, *policy.kinds.values())
    results = _with_pseudonyms(ctx, shards) if pseudonyms else ctx.map(scrub_shard, shards)
    by_place = {(r.source, r.path, r.start): r for kept, _ in results for r in kept}
    rows = [by_place[place] for r in sections if (place := (r.source, r.path, r.start)) in by_place]
    links = [link for _, made in results for link in made]
    ctx.write_rows(rows, links)
    found = sum(int(link.score) for link in links)
    n = ctx.params.check_sample
    if n and policy.default != "keep":
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
        again = sum(any(policy.of(item.kind) != "keep" for item in find_personal(r.text)) for r in sample)
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
    done = {"mask": "masked", "drop": "dropped", "pseudonym": "behind pseudonyms", "keep": "dealt with"}[policy.default]
    ctx.summary = f"{found} personal items {done} in {changed} sections"
