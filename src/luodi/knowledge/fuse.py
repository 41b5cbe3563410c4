"""Reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009): orders are added, whatever their scores mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

K = 60  # of the paper: how little the first places count for more than the next


def fuse(orders: Sequence[Sequence[int]]) -> list[tuple[int, float]]:
    """(id, score) by the sum of 1 / (60 + rank) over all orders, best first; ties in the order of the ids."""
    scores: dict[int, float] = {}
    for order in orders:
        for rank, item in enumerate(order, 1):
            scores[item] = scores.get(item, 0.0) + 1.0 / (K + rank)
    return sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))


def nearest(similarities: Any, limit: int) -> list[int]:
    """Ids (from 1) of the `limit` greatest, greatest first; ties in the order of the ids."""
    limit = min(limit, len(similarities))
    if not limit:
        return []
    least = np.partition(similarities, -limit)[-limit]
    best = np.flatnonzero(similarities >= least)  # more than asked for where several are as near
    return [int(place) + 1 for place in best[np.lexsort((best, -similarities[best]))][:limit]]
