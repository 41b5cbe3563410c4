"""Intervals, paired comparison, several claims at once, and rates that a fallible judge counted."""

from luodi.evaluate.statistics.families import holm
from luodi.evaluate.statistics.intervals import (
    Estimate,
    exact_share,
    mean,
    mean_of,
    quantile,
    quantile_interval,
    share,
    share_of,
)
from luodi.evaluate.statistics.pairs import NonInferiority, non_inferior, paired_difference
from luodi.evaluate.statistics.power import items_for_share, items_needed

__all__ = [
    "Estimate",
    "NonInferiority",
    "exact_share",
    "holm",
    "items_for_share",
    "items_needed",
    "mean",
    "mean_of",
    "non_inferior",
    "paired_difference",
    "quantile",
    "quantile_interval",
    "share",
    "share_of",
]
