"""What a check said, and what becomes of the text: eight dispositions, from the mildest to the strictest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Disposition = Literal["allow", "log", "alert", "mask", "replace", "answer", "human", "block"]
"""allow: nothing. log: recorded. alert: an event is sent. mask, replace: what was found is blacked out, or other text
stands for it. answer: a fixed text of the policy instead. human: held, and put before a person. block: refused."""

DISPOSITIONS: tuple[Disposition, ...] = get_args(Disposition)
STRICTNESS: dict[str, int] = {name: place for place, name in enumerate(DISPOSITIONS)}
EDITS = ("mask", "replace")
STOPS = ("answer", "human", "block")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one check said.

    Attributes:
        check, version: which check, in which version; that of a model holds the digest of its weights.
        ran: False if it could not run; score is then 0.
        score, threshold: 0 to 1, of what decided; the disposition applies from the threshold on.
        action: the disposition that this verdict asks for.
        detail: for the log, never with a personal value in it.
        category: of what decided; "" of a check without categories.
        scores: of each category that was found.
    """

    check: str
    version: str
    ran: bool
    score: float
    threshold: float
    action: str
    detail: str
    category: str = ""
    scores: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class GuardResult:
    """What one door decided.

    Attributes:
        action: the strictest disposition of the verdicts.
        text: to go on with; "" if it does not go on.
        verdicts: one for each check of the door.
        said: what is said instead, if `action` is "answer".
    """

    action: Disposition
    text: str
    verdicts: tuple[Verdict, ...]
    said: str = ""

    @property
    def stops(self) -> bool:
        """Whether the text goes no further."""
        return self.action in STOPS

    @property
    def decisive(self) -> Verdict:
        """The first of the strictest verdicts."""
        return max(self.verdicts, key=lambda verdict: STRICTNESS[verdict.action])
