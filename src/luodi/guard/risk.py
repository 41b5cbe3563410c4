"""One number for what all checks of intent found: the probability that a text means harm.

Each check's score is a probability on the mix of texts that it was calibrated on; it is first moved to the share of
attacks that is expected in traffic, by the odds (Saerens et al., Adjusting the Outputs of a Classifier to New a Priori
Probabilities, 2002). Then one check that is right is enough (noisy or; Pearl 1988).
"""

from __future__ import annotations

from collections.abc import Iterable

from luodi.guard.verdict import Verdict

CHECK = "risk"
VERSION = "1"
INTENT = ("rules", "injection", "transformer", "conversation")
"""Checks that tell attacks from other texts; what was said, and personal data, are other questions."""
_SURE = 0.98  # of a known template: what is told by one is an attack so often


def at_prior(score: float, learnt: float, expected: float) -> float:
    """A probability that was calibrated where a share `learnt` were attacks, where a share `expected` are."""
    odds = score * (1.0 - learnt) * expected
    against = (1.0 - score) * learnt * (1.0 - expected)
    return odds / (odds + against) if odds + against else score


def combined(verdicts: Iterable[Verdict], *, learnt: float, expected: float) -> float:
    """The probability that a text is an attack, given what the checks said of it. What did not run says nothing."""
    harmless = 1.0
    for verdict in verdicts:
        if not verdict.ran or verdict.check not in INTENT:
            continue
        score = min(verdict.score, _SURE) if verdict.check == "rules" else verdict.score
        if score > 0.0:
            harmless *= 1.0 - at_prior(score, learnt, expected)
    return 1.0 - harmless
