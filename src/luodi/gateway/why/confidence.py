"""How much speaks for an answer.

Where the release was calibrated, it is the probability that the answer is right. Else it is made of the checks: the
coverage of its weakest sentence, which is the share of that sentence's content words that stand in the passage that
supports it; that is no probability. A check that did not run makes it 0: nobody vouches for what was not looked at.
Where no sentence was checked (a chat, a refusal, an abstention) there is no figure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from luodi.gateway.call import Outcome


@dataclass(frozen=True, slots=True)
class Confidence:
    """`value` from 0 to 1, or None; `reason` says what it is made of."""

    value: float | None
    reason: str

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def _judge(kind: str, coverages: Sequence[float], not_run: Sequence[str], stated: float | None) -> Confidence:
    if kind not in ("generated", "extracted") or not coverages:
        return Confidence(None, "no sentence of it was checked against documents")
    if not_run:
        return Confidence(0.0, f"not run: {', '.join(not_run)}")
    if stated is not None:
        return Confidence(stated, "how often answers from such passages were right when the release was measured")
    n = min(range(len(coverages)), key=lambda i: coverages[i])
    return Confidence(coverages[n], f"the coverage of its weakest sentence, number {n + 1} of {len(coverages)}")


def of_outcome(outcome: Outcome) -> Confidence:
    """Of a call that has just ended."""
    not_run = [v.check for v in outcome.verdicts if not v.ran]
    return _judge(outcome.kind, [float(c["coverage"]) for c in outcome.checks], not_run, outcome.confidence)


def of_record(outcome: str, body: dict[str, Any]) -> Confidence:
    """Of a record in the log, which holds millionths."""
    coverages = [c["coverage"] / 1e6 for c in body.get("grounding", [])]
    stated = body.get("confidence")
    return _judge(outcome, coverages, body.get("checks_not_run", []), None if stated is None else stated / 1e6)
