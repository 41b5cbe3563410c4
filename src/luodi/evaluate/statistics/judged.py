"""A rate that a judge counted, corrected for the judge's own mistakes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from luodi.evaluate.statistics.intervals import Estimate

_DRAWS = 20_000


@dataclass(frozen=True, slots=True)
class Counts:
    """What a judge flagged of the items, and of labelled ones: those that are so, and those that are not."""

    flagged: int
    n: int
    found: int
    positives: int
    alarms: int
    negatives: int


def rogan_gladen(strata: Sequence[Counts], confidence: float = 0.95, seed: int = 0) -> Estimate:
    """The true share of what a judge flags, over one or several languages (Rogan and Gladen 1978).

    The interval holds the uncertainty of all counts: each is drawn from its posterior under Jeffreys' prior (Brown,
    Cai and DasGupta 2001), and the corrected shares' quantiles are taken. Where a judge tells nothing apart, or there
    are no labels, anything from 0 to 1 is possible.
    """
    total = sum(s.n for s in strata)
    if not total:
        return Estimate(0.0, 0.0, 1.0, 0)
    rng = np.random.default_rng(seed)
    value, drawn = 0.0, np.zeros(_DRAWS)
    for s in strata:
        weight = s.n / total
        if not s.n:
            continue
        if not s.positives or not s.negatives:
            value += weight * s.flagged / s.n
            drawn += weight * rng.random(_DRAWS)
            continue
        alarm = s.alarms / s.negatives
        apart = s.found / s.positives - alarm
        seen = s.flagged / s.n
        value += weight * (min(1.0, max(0.0, (seen - alarm) / apart)) if apart > 0 else seen)
        counts = ((s.flagged, s.n), (s.found, s.positives), (s.alarms, s.negatives))
        share, hit, wrong = (rng.beta(k + 0.5, n - k + 0.5, _DRAWS) for k, n in counts)
        gap = hit - wrong
        with np.errstate(divide="ignore", invalid="ignore"):
            drawn += weight * np.clip(np.where(gap > 0, (share - wrong) / gap, rng.random(_DRAWS)), 0.0, 1.0)
    low, high = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Estimate(value, min(float(low), value), max(float(high), value), total)
