"""Risk over a conversation: an attack that is spread over turns, none of which says enough by itself.

Two signs: the last turns read as one text, and the risk of single turns added up with decay. The state is the messages
that the call carries; nothing is kept between calls but the scores of texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from luodi.guard.features import grams
from luodi.guard.normalise import normalise

if TYPE_CHECKING:
    from luodi.guard.attacks import AttackModel

TURNS = 20  # of the user that are read, the last one among them
_SIZES = (2, 3, 4, 6, TURNS)  # how many of the last turns are read together
_SHORT = 400  # characters of a turn that is read together with others
_JOINED = 2000  # characters of them that are read
_DECAY = 0.85  # weight of a turn for each turn after it
_READ = 2000  # characters of a turn
_REMEMBERED = 4096


class Risk:
    """Scores conversations. Safe between threads: its memory is only what could be computed again."""

    def __init__(self, model: AttackModel) -> None:
        self._model = model
        self._seen: dict[str, float] = {}

    def joined(self, turns: Sequence[str]) -> str:
        """The last short turns as one text in normal form; a long one says what it says by itself."""
        return normalise(" ".join(turn for turn in turns[-TURNS:] if len(turn) <= _SHORT)[-_JOINED:])

    def score(self, turns: Sequence[str], last: float) -> float:
        """0 to 1.

        Args:
            turns: all that the user said, the last turn among them.
            last: the score of the last turn by itself.
        """
        # what was split stands together in one of these, and mixed with other things in the rest
        sizes = [size for size in _SIZES if size <= len(turns) or size == TURNS]
        if len(turns[-1]) > _SHORT:  # the turns before it were judged together when the last of them came
            sizes = []
        joined = dict.fromkeys(self.joined(turns[-size:]) for size in sizes)
        whole = max([self._model.score_grams([grams(text)]) for text in joined if text], default=0.0)
        left = 1.0 - last
        for age, turn in enumerate(reversed(turns[-TURNS:-1]), 1):
            left *= 1.0 - _DECAY**age * self.one(turn[:_READ])
        return max(whole, 1.0 - left)

    def one(self, turn: str) -> float:
        """The score of one turn by itself."""
        found = self._seen.get(turn)
        if found is None:
            found = self._model.score_grams([grams(normalise(turn))])
            if len(self._seen) >= _REMEMBERED:
                self._seen.pop(next(iter(self._seen)), None)
            self._seen[turn] = found
        return found
