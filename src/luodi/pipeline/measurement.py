"""A measurement: a value with its interval, its unit, and how to repeat it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Measurement:
    """One figure that serves one promise.

    `low` and `high` are the ends of the interval at the project's confidence; None where there is none.
    `base` and the `difference` fields compare with the untuned model on the same items, pair by pair.
    `judge` tells of the instrument that judged the answers: its name, and how it does against human labels.
    """

    name: str
    promise: Literal["compliance", "security", "data", "fit", "cost"]
    value: float
    unit: str
    n: int
    better: Literal["higher", "lower"]
    low: float | None = None
    high: float | None = None
    base: float | None = None
    difference: float | None = None
    difference_low: float | None = None
    difference_high: float | None = None
    data: str = ""  # digest of what it was measured on
    seed: int = 0
    command: str = "luodi run"
    note: str = ""
    judge: dict[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        return {k: v for k, v in asdict(self).items() if v is not None}

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Measurement:
        """Raises: TypeError if a field is missing. Fields that a passport adds are left out."""
        return cls(**{k: v for k, v in value.items() if k in cls.__dataclass_fields__})
