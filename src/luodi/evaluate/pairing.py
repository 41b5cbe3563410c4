"""Items of two releases, put together by their ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from luodi.evaluate.items import Item, clusters_of
from luodi.evaluate.statistics import NonInferiority, non_inferior


@dataclass(frozen=True, slots=True)
class Compared:
    """A comparison; `missing` items of old were not measured on new, `added` ones only on new."""

    result: NonInferiority
    missing: int
    added: int


def compare(
    new: Sequence[Item],
    old: Sequence[Item],
    margin: float,
    confidence: float = 0.95,
    *,
    lower_is_better: bool = False,
) -> Compared:
    """Whether new is worse than old by less than `margin`, item by item.

    An item that only old was measured on counts as lost entirely: a release can't pass by leaving out what it fails.
    One that only new was measured on says nothing.

    Raises:
        ValueError: old has no items.
    """
    worst = 1.0 if lower_is_better else 0.0
    scores = {item.id: item.score for item in new}
    pairs = [(scores.get(item.id, worst), item.score) for item in old]
    if lower_is_better:
        pairs = [(1 - a, 1 - b) for a, b in pairs]
    result = non_inferior([a for a, _ in pairs], [b for _, b in pairs], margin, confidence, clusters_of(old))
    known = {item.id for item in old}
    return Compared(result, sum(item.id not in scores for item in old), sum(item.id not in known for item in new))
