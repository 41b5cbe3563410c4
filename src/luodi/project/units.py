"""Values with units, as people write them: durations and names."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_SECONDS = {
    "s": 1,
    "sec": 1,
    "min": 60,
    "h": 3600,
    "hour": 3600,
    "hours": 3600,
    "d": 86400,
    "day": 86400,
    "days": 86400,
}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]+)")


def parse_duration(value: Any) -> float:
    """Seconds from '4 min', '90 s', '1.5 h', '2 days'."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        raise ValueError(f"{value!r} has no unit; write for instance '{value} s' or '{value} min'")
    match = _DURATION.fullmatch(str(value).strip().lower())
    if not match or match[2] not in _SECONDS:
        raise ValueError(f"{value!r} is not a duration; write for instance '4 min'")
    return float(match[1]) * _SECONDS[match[2]]


def write_duration(seconds: float) -> str:
    """The shortest text that `parse_duration` reads as exactly `seconds`; it is part of stage keys."""
    number, unit = (seconds / 60, "min") if seconds >= 60 and seconds % 60 == 0 else (seconds, "s")
    return f"{Decimal(repr(number)):f}".removesuffix(".0") + f" {unit}"


Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    PlainSerializer(write_duration),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^\d+(\.\d+)?\s*(s|sec|min|h|hour|hours|d|day|days)$",
            "examples": ["4 min", "90 s"],
        }
    ),
]
"""A length of time in seconds, written with its unit."""
