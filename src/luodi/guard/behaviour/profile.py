"""What is remembered of one key: counts, no text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from zlib import crc32

from luodi.guard.behaviour.policy import BehaviourPolicy, Signal
from luodi.guard.behaviour.window import Count, Distinct, Spread

if TYPE_CHECKING:
    from luodi.guard.behaviour.watch import Decision

HOUR_S, DAY_S, BURST_S = 3600.0, 86_400.0, 600.0


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of a call when it has ended.

    Attributes:
        question: what was asked; only its hash is kept.
        passages: identifiers of the passages that were found for it.
        refused: whether a check refused it.
        canary: whether the answer held a canary.
    """

    question: str = ""
    passages: Sequence[str] = ()
    refused: bool = False
    canary: bool = False


class Profile:
    """Counts of one key; about 10 KiB."""

    __slots__ = ("_burst", "_calls", "_canaries", "_found", "_questions", "_refusals", "decided")

    def __init__(self) -> None:
        self._burst = Count(BURST_S)
        self._calls = Count(HOUR_S)
        self._questions = Distinct(HOUR_S, 4096)
        self._found = Spread(DAY_S, 8192)
        self._refusals = Count(BURST_S)
        self._canaries = Count(DAY_S)
        self.decided: tuple[float, Decision] | None = None  # when, and what; it holds for a moment

    def add(self, now_s: float, seen: Seen) -> None:
        self._burst.add(now_s)
        self._calls.add(now_s)
        if seen.question:
            self._questions.add(now_s, crc32(seen.question.strip().casefold().encode("utf-8", "replace")))
        if seen.passages:
            for passage in seen.passages:
                self._found.add(now_s, crc32(passage.encode("utf-8", "replace")))
        if seen.refused or seen.canary:
            self.decided = None
        if seen.refused:
            self._refusals.add(now_s)
        if seen.canary:
            self._canaries.add(now_s)

    def signals(self, now_s: float, policy: BehaviourPolicy, passages: int) -> dict[Signal, tuple[float, float]]:
        """Signal → (0 to 1, the figure behind it: a count; for coverage a share)."""
        calls, asked = self._calls.value(now_s), self._questions.value(now_s)
        refused, canaries = self._refusals.value(now_s), self._canaries.value(now_s)
        burst = self._burst.value(now_s)
        share, uneven = self._found.value(now_s, passages) if passages else (0.0, 1.0)
        # people come back to some passages far more often than to others; who sweeps takes all alike
        sweep = min(1.0, max(0.0, (3.0 - uneven) / 1.5))
        # a busy key meets some refusals; a burst is many of them among its calls
        often = min(1.0, refused / (0.1 * burst)) if burst >= 1.0 else 0.0
        return {
            "volume": (min(1.0, calls / policy.calls_hour), calls),
            "diversity": (min(1.0, asked / policy.distinct_hour), asked),
            "coverage": (min(1.0, share / policy.coverage) * sweep, share),
            "refusals": (min(1.0, refused / policy.refusals) * often, refused),
            "canary": (1.0 if canaries > 0.0 else 0.0, canaries),
        }
