"""A statistical watermark in generated text: tokens on a secret list are made a little likelier, and counted later.

The list of a place is drawn from the token before it (Kirchenbauer et al., A Watermark for Large Language Models,
2023). Text and tokenizer are enough to find it; the model is not needed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import pairwise
from math import erfc, sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from luodi.errors import EngineError, require

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from luodi.store import Store

SCHEME = "kgw1"
GREEN = 0.25  # share of the vocabulary that is on a list
LIFT = 2.0  # added to the logits of what is on it
LEAST = 30  # counted places under which a text is not judged
LIMIT = 2.6  # z from which a text counts as marked
LONGEST = 1 << 20  # characters of a text that is looked at

_MIX = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_ALL = (1 << 64) - 1

MEASURED: dict[str, Any] = {
    "by": "make bench-guard, part watermark",
    "text_without_the_mark_found": {"en, 200 tokens": 0.0088, "en, 50 tokens": 0.0061, "zh, 200 tokens": 0.0015,
                                    "zh, 50 tokens": 0.0055},
    "marked_text_found": {"en, 200 tokens, temperature 0": 0.94, "en, 200 tokens, temperature 0.7": 1.0},
}  # fmt: skip
"""How often the detector erred, of SmolLM2-135M; see benchmarks/results/guard-watermark.json for n and intervals."""

Verdict = Literal["found", "not_found", "too_short"]


@dataclass(frozen=True, slots=True)
class Detection:
    """What a text shows of one key.

    Attributes:
        verdict: found, from `LIMIT` on; too_short: fewer than `LEAST` places, and nothing is said.
        places, green: pairs of tokens that were counted, each once, and how many are on the lists.
        z: standard deviations above what text without the mark has; None if the text is too short.
        p_value: how likely text without the mark has as much, by the normal distribution.
    """

    verdict: Verdict
    scheme: str
    key: str
    places: int
    green: int
    z: float | None
    p_value: float | None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class Watermark:
    """The lists of one key. Safe between threads."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self.key_id = hashlib.sha256(b"luodi watermark\0" + secret).hexdigest()[:16]

    def as_dict(self) -> dict[str, str]:
        """What may be told of it."""
        return {"scheme": SCHEME, "key": self.key_id}

    def _seed(self, before: int) -> int:
        return int.from_bytes(
            hashlib.blake2b(before.to_bytes(8, "big"), key=self._secret, digest_size=8).digest(), "big"
        )

    def green(self, before: int, tokens: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of `tokens` are on the list behind the token `before`."""
        import numpy as np

        mixed = (tokens.astype(np.uint64) + np.uint64(1)) * np.uint64(_MIX[0]) ^ np.uint64(self._seed(before))
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(_MIX[1])
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(_MIX[2])
        return np.asarray((mixed ^ (mixed >> np.uint64(31))) < np.uint64(int(GREEN * _ALL)))

    def is_green(self, before: int, token: int) -> bool:
        """Whether one token is on the list behind another."""
        mixed = ((token + 1) * _MIX[0] & _ALL) ^ self._seed(before)
        mixed = (mixed ^ (mixed >> 30)) * _MIX[1] & _ALL
        mixed = (mixed ^ (mixed >> 27)) * _MIX[2] & _ALL
        return mixed ^ (mixed >> 31) < int(GREEN * _ALL)

    def lift(self, before: int, tokens: NDArray[np.int64]) -> NDArray[np.float32]:
        """What is added to the logits of `tokens` behind the token `before`."""
        import numpy as np

        return np.where(self.green(before, tokens), np.float32(LIFT), np.float32(0.0))

    def count(self, tokens: Sequence[int]) -> tuple[int, int]:
        """(places counted, how many are green). A pair of tokens counts once, however often it is repeated."""
        pairs = set(pairwise(tokens))
        return len(pairs), sum(self.is_green(before, token) for before, token in pairs)

    def detect(self, text: str, tokenize: Callable[[str], Sequence[int]]) -> Detection:
        """Look for the mark in a text, of which only the first `LONGEST` characters count."""
        places, green = self.count(tokenize(text[:LONGEST]))
        if places < LEAST:
            return Detection("too_short", SCHEME, self.key_id, places, green, None, None)
        z = (green - GREEN * places) / sqrt(GREEN * (1 - GREEN) * places)
        verdict: Verdict = "found" if z >= LIMIT else "not_found"
        return Detection(verdict, SCHEME, self.key_id, places, green, round(z, 3), 0.5 * erfc(z / sqrt(2)))


def watermark_of(store: Store) -> Watermark:
    """The watermark of a store: its key follows from the signing key, and a new one makes older marks unknown."""
    return Watermark(store.keys.derive("watermark"))


def tokenizer_of(weights: Path) -> Callable[[str], list[int]]:
    """How the model in a folder cuts text into tokens.

    Raises:
        EngineError: the folder has no tokenizer.
    """
    file = weights / "tokenizer.json"
    if not file.is_file():
        raise EngineError(f"there is no tokenizer in {weights}, so no watermark can be looked for")
    return _read(file)


@lru_cache(maxsize=4)
def _read(file: Path) -> Callable[[str], list[int]]:
    tokenizer = require("tokenizers", extra="serve").Tokenizer.from_file(str(file))
    return lambda text: list(tokenizer.encode(text, add_special_tokens=False).ids)
