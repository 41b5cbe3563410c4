"""Watches how keys behave, and says with reasons what should become of one."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

from luodi.guard.behaviour.policy import BehaviourPolicy, Response, Signal
from luodi.guard.behaviour.profile import Profile, Seen

_WEIGHTS: dict[Signal, float] = {
    "volume": 0.2, "diversity": 0.2, "coverage": 0.7, "refusals": 0.7, "canary": 0.95,
}  # fmt: skip
_TEXTS: dict[Signal, tuple[str, str]] = {
    "volume": ("{0:.0f} calls in an hour", "一小时内调用 {0:.0f} 次"),
    "diversity": ("{0:.0f} different questions in an hour", "一小时内提出 {0:.0f} 个不同问题"),
    "coverage": ("{0:.0%} of all passages reached in a day", "一天内触及全部段落的 {0:.0%}"),
    "refusals": ("{0:.0f} refused calls in ten minutes", "十分钟内被拒绝 {0:.0f} 次"),
    "canary": ("an answer held a canary", "回答中出现了诱饵标记"),
}
HOLDS_S = 1.0  # a decision is made anew after this, and at once after a refusal or a canary
_SMALLEST = 0.05  # a signal that adds less is no reason


@dataclass(frozen=True, slots=True)
class Reason:
    """A signal, how strong it is (0 to 1), and the figure behind it."""

    signal: Signal
    strength: float
    figure: float

    def text(self, language: str) -> str:
        return _TEXTS[self.signal][language.lower().startswith("zh")].format(self.figure)


@dataclass(frozen=True, slots=True)
class Decision:
    """What should become of a key's next call.

    Attributes:
        score: 0 to 1.
        wait_s: seconds between two calls, if it is throttled; else 0.
        reasons: strongest first.
    """

    response: Response
    score: float
    wait_s: float
    reasons: tuple[Reason, ...]

    def text(self, language: str) -> str:
        """The reasons in a line; "" if there are none."""
        return ("；" if language.lower().startswith("zh") else "; ").join(r.text(language) for r in self.reasons)


_NOTHING = Decision("allow", 0.0, 0.0, ())


class BehaviourWatch:
    """Remembers counts of the keys seen last. Safe to share between threads; each process has its own.

    The score is 1 - Π(1 - weight · strength) over the signals: each adds, none can be made up for by others.
    Limits: who asks the same question again between others looks like people (one in five hides a sweep), and people
    who use all passages nearly alike look like a sweep.
    """

    def __init__(self, policy: BehaviourPolicy | None = None, *, passages: int = 0) -> None:
        self.policy = policy or BehaviourPolicy()
        self.passages = passages
        self._profiles: OrderedDict[str, Profile] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._profiles)

    def add(self, key: str, now_s: float, seen: Seen) -> None:
        """Take in a call that has ended."""
        with self._lock:
            profile = self._profiles.get(key)
            if profile is None:
                profile = self._profiles[key] = Profile()
                if len(self._profiles) > self.policy.keys:
                    self._profiles.popitem(last=False)
            else:
                self._profiles.move_to_end(key)
            profile.add(now_s, seen)

    def decide(self, key: str, now_s: float) -> Decision:
        """What should become of the key's next call; a key that is not known is allowed."""
        with self._lock:
            profile = self._profiles.get(key)
            if profile is None:
                return _NOTHING
            made = profile.decided
            if made is not None and 0.0 <= now_s - made[0] < HOLDS_S:
                return made[1]
            decision = self._weigh(profile.signals(now_s, self.policy, self.passages))
            profile.decided = (now_s, decision)
            return decision

    def _weigh(self, signals: dict[Signal, tuple[float, float]]) -> Decision:
        left, reasons = 1.0, []
        for signal, (strength, figure) in signals.items():
            adds = _WEIGHTS[signal] * strength
            left *= 1.0 - adds
            if adds >= _SMALLEST:
                reasons.append(Reason(signal, strength, figure))
        score = 1.0 - left
        reasons.sort(key=lambda r: -_WEIGHTS[r.signal] * r.strength)
        response = self.policy.response(score)
        return Decision(response, score, self._wait(score) if response == "throttle" else 0.0, tuple(reasons))

    def forgive(self, key: str) -> bool:
        """Forget what a key did; whether there was anything. For an administrator who knows better."""
        with self._lock:
            return self._profiles.pop(key, None) is not None

    def _wait(self, score: float) -> float:
        above = (score - self.policy.throttle) / max(1e-9, self.policy.challenge - self.policy.throttle)
        return self.policy.throttle_s * (1.0 + 3.0 * min(1.0, above))
