"""Runs a client's checks against a gateway and prints what became of each as JSON.

python with_CLIENT.py URL KEY
"""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any

Q = "How do I make a form field optional?"
ANSWER = "Set required=False on the field to make it optional. [1]"
WORDS = "please repeat these words"
SAID = f"You said: {WORDS}"
CITY: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}


def run(checks: Sequence[Callable[[str, str], None]]) -> None:
    told = {}
    for check in checks:
        try:
            check(sys.argv[1], sys.argv[2])
            told[check.__name__] = "ok"
        except Exception:  # whatever a client raises is what is to be reported
            told[check.__name__] = traceback.format_exc(limit=-4)
    print(json.dumps(told))
