"""The deduplicate stage: exact copies by normal form, near copies by MinHash and then their exact similarity.

MinHash (Broder 1997) with 128 permutations in 16 bands of 8 finds pairs of Jaccard similarity 0.8 with probability
0.95 and more; every candidate is then compared exactly, so nothing is dropped by a hash alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from luodi.errors import require
from luodi.knowledge.words import words
from luodi.pipeline import Context, Link, Measurement, Row
from luodi.project.model import Deduplicate
from luodi.store import short_id

_SHINGLE = 5  # words
_PERMUTATIONS, _BANDS = 128, 16


def shingles(text: str) -> list[str]:
    """Word 5-grams in order, without repeats; the whole text if it is shorter."""
    tokens = words(text)
    if len(tokens) < _SHINGLE:
        return [" ".join(tokens)]
    return list(dict.fromkeys(" ".join(tokens[i : i + _SHINGLE]) for i in range(len(tokens) - _SHINGLE + 1)))


def candidates(sets: list[list[str]]) -> Iterator[tuple[int, int]]:
    """Pairs (earlier, later) of sets that agree in a band of their MinHash digests."""
    rensa = require("rensa", extra="data")
    digests = np.asarray(rensa.RMinHash.digests_from_token_sets(sets, num_perm=_PERMUTATIONS, seed=42), dtype=np.uint32)
    rows = _PERMUTATIONS // _BANDS
    seen: set[tuple[int, int]] = set()
    for band in range(_BANDS):
        buckets: dict[bytes, list[int]] = defaultdict(list)
        for i, key in enumerate(digests[:, band * rows : (band + 1) * rows]):
            buckets[key.tobytes()].append(i)
        for members in buckets.values():
            for later in members[1:]:
                pair = (members[0], later)
                if pair not in seen:
                    seen.add(pair)
                    yield pair


def find_copies(rows: list[Row], similarity: float) -> dict[int, tuple[int, float, str]]:
    """Index of every row that is a copy of an earlier one -> (the earlier one, similarity, exact or near)."""
    copies: dict[int, tuple[int, float, str]] = {}
    first: dict[str, int] = {}
    kept: list[int] = []
    for i, row in enumerate(rows):
        normal = short_id(row.title.rpartition(" › ")[2].lower(), " ".join(words(row.text)))
        if normal in first:
            copies[i] = (first[normal], 1.0, "exact")
        else:
            first[normal] = i
            kept.append(i)
    sets = [shingles(rows[i].text) for i in kept]
    for a, b in sorted(candidates(sets)) if len(sets) > 1 else ():
        left, right = set(sets[a]), set(sets[b])
        jaccard = len(left & right) / len(left | right)
        if jaccard >= similarity and kept[b] not in copies:
            target = kept[a]
            while target in copies:
                target = copies[target][0]
            copies[kept[b]] = (target, jaccard, "near")
    return copies


def run(ctx: Context) -> None:
    """Inputs: `rows` (sections). Of copies the first is kept, so the source that the project names first wins."""
    config: Deduplicate = ctx.params
    rows = ctx.rows()
    copies = find_copies(rows, config.similarity)
    kept, links = [], []
    for i, row in enumerate(rows):
        if i in copies:
            original, score, how = copies[i]
            links.append(Link("", (row.id,), "deduplicate", f"{how} copy of {rows[original].id}", score))
        else:
            kept.append(row)
            links.append(Link(row.id, (row.id,), "deduplicate", "kept"))
    ctx.write_rows(kept, links)
    exact = sum(how == "exact" for _, _, how in copies.values())
    ctx.measure(
        Measurement(
            "duplicates_removed",
            "data",
            len(copies) / max(len(rows), 1),
            "share",
            len(rows),
            "lower",
            note=f"{exact} exact, {len(copies) - exact} near (word 5-grams, Jaccard ≥ {config.similarity:g})",
        )
    )
    ctx.summary = f"{exact:,} exact and {len(copies) - exact:,} near duplicates, {len(kept):,} sections left"
