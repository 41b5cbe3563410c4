"""Reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009): orders are added, whatever their scores mean."""

from __future__ import annotations

from collections.abc import Sequence

K = 60  # of the paper: how little the first places count for more than the next


def fuse(orders: Sequence[Sequence[int]]) -> list[tuple[int, float]]:
    """(id, score) by the sum of 1 / (60 + rank) over all orders, best first; ties in the order of the ids."""
    scores: dict[int, float] = {}
    for order in orders:
        for rank, item in enumerate(order, 1):
            scores[item] = scores.get(item, 0.0) + 1.0 / (K + rank)
    return sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))
