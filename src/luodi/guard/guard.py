"""The guard: runs the checks of a policy on what comes in, what is retrieved and what goes out.

Every check leaves a verdict, also one that could not run: `ran=False`, and the policy says whether that
blocks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from luodi.guard.attacks import AttackModel
from luodi.guard.item import PersonalItem
from luodi.guard.leak import LeakCheck, LeakWatch
from luodi.guard.normalise import views
from luodi.guard.personal import find_personal, mask
from luodi.guard.policy import Check, GuardPolicy
from luodi.guard.rules import RULES_VERSION, match_rules
from luodi.guard.stream import HoldBack

Action = Literal["allow", "mask", "block"]

PERSONAL_VERSION = "1"
LEAK_VERSION = "1"

_NAMES: dict[str, tuple[str, str]] = {
    "personal": ("it contains personal data or a secret", "其中含有个人信息或密钥"),
    "rules": ("it matches a known attack on the assistant", "其内容符合已知的攻击模板"),
    "injection": (
        "it reads like an attempt to override the assistant's instructions",
        "其内容疑似试图篡改助手的指令",
    ),
    "leak": ("the answer would reveal internal instructions", "回答会泄露内部指令"),
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one check said.

    Attributes:
        check, version: which check, in which version; the attack model's version holds the digest of its
            weights.
        ran: False if it could not run; score is then 0.
        score, threshold: 0 to 1; the disposition applies from the threshold on.
        action: `allow`, `allow_log`, `mask` or `block`: what this verdict asks for.
        detail: for the log, never with a personal value in it.
    """

    check: str
    version: str
    ran: bool
    score: float
    threshold: float
    action: str
    detail: str


@dataclass(frozen=True, slots=True)
class GuardResult:
    """What one door decided: the strictest action, the text to go on with ("" when blocked), verdicts."""

    action: Action
    text: str
    verdicts: tuple[Verdict, ...]


@dataclass(frozen=True, slots=True)
class _Finding:
    version: str
    score: float
    detail: str
    threshold: float | None = None
    masked: Callable[[], str] | None = None


class Guard:
    """Checks texts by a policy. Holds no state of a conversation; safe to share between threads.

    Args:
        policy: checks, thresholds and dispositions.
        attack_model: None if there is none; `injection` is then recorded as not run.
        system_prompt: protected by the leak check.
        canaries: strings that stand only in the system prompt, at least six letters or digits each.
    """

    def __init__(
        self,
        policy: GuardPolicy,
        attack_model: AttackModel | None,
        *,
        system_prompt: str = "",
        canaries: Sequence[str] = (),
    ) -> None:
        self.policy = policy
        self._model = attack_model
        self._leak = LeakCheck(system_prompt, canaries) if system_prompt or canaries else None
        self.version = hashlib.sha256(
            f"{policy.model_dump_json()} {attack_model.version if attack_model else ''}".encode()
        ).hexdigest()[:16]

    def check_input(self, text: str) -> GuardResult:
        """Judge what a user wrote."""
        return self._check(text, self.policy.input)

    def check_untrusted(self, text: str) -> GuardResult:
        """Judge a retrieved document or the result of a tool, before it reaches the model."""
        return self._check(text, self.policy.untrusted)

    def check_output(self, text: str) -> GuardResult:
        """Judge a whole answer; for a stream, mask with `HoldBack` and judge the whole at the end."""
        return self._check(text, self.policy.output)

    def watch_output(self) -> OutputWatch:
        """Judges one answer while it streams."""
        return OutputWatch(self)

    def refusal(self, result: GuardResult, language: str) -> str:
        """A short refusal that names the check, in Chinese if `language` begins with "zh", else English.

        Raises:
            ValueError: the result does not block.
        """
        chinese = language.lower().startswith("zh")
        blocking = next((verdict for verdict in result.verdicts if verdict.action == "block"), None)
        if blocking is None:
            raise ValueError("the result does not block; there is nothing to refuse")
        mark = f"guard/{blocking.check}@{blocking.version.split(':')[0]}"
        if not blocking.ran:
            reason = "安全检查暂时无法运行" if chinese else "a safety check could not run"
        else:
            reason = _NAMES[blocking.check][chinese]
        return (
            f"抱歉，无法处理该请求：{reason}。（{mark}）"
            if chinese
            else f"Sorry, I can't help with this: {reason}. ({mark})"
        )

    def _check(self, text: str, checks: Sequence[Check]) -> GuardResult:
        # judged as it came: masking must neither hide an attack nor make one
        verdicts: list[Verdict] = []
        action: Action = "allow"
        out = text
        forms: list[str] = []  # normal forms of the text, made once for the checks that read them
        for check in checks:
            verdict, finding = self._judge(check, text, forms)
            verdicts.append(verdict)
            if verdict.action == "block":
                action = "block"
            elif verdict.action == "mask" and action != "block":
                action = "mask"
                # a second mask works on what the first has left
                again = finding if out == text else self._find(check, out, [])
                out = again.masked() if again and again.masked else out
        return GuardResult(action, "" if action == "block" else out, tuple(verdicts))

    def _judge(self, check: Check, text: str, forms: list[str]) -> tuple[Verdict, _Finding | None]:
        policy = self.policy.of(check)
        finding, reason = None, "not configured"
        try:
            finding = self._find(check, text, forms)
        except Exception as error:  # a check that breaks must not open or close the door by itself
            reason = f"failed: {type(error).__name__}"
        if finding is None:
            missing = "block" if policy.on_missing == "block" else "allow"
            return Verdict(check, "", False, 0.0, policy.threshold or 0.0, missing, reason), None
        threshold = policy.threshold if policy.threshold is not None else finding.threshold or 0.0
        hit = finding.score >= threshold and finding.score > 0.0
        action = policy.action if hit else "allow"
        return Verdict(check, finding.version, True, finding.score, threshold, action, finding.detail), finding

    def _find(self, check: Check, text: str, forms: list[str]) -> _Finding | None:
        """What a check finds; None if it is not configured. `forms` is filled by the first check that needs it."""
        if check == "personal":
            return self._personal(text)
        if check in ("rules", "injection") and not forms:
            forms += views(text)
        if check == "rules":
            hits = match_rules(forms)
            detail = ", ".join(f"{hit.rule.id}@{hit.rule.version}" for hit in hits)
            return _Finding(RULES_VERSION, 1.0 if hits else 0.0, detail)
        if check == "injection":
            if self._model is None:
                return None
            return _Finding(self._model.version, self._model.score_views(text, forms), "", self._model.threshold)
        return self._leaked(text)

    def _personal_verdict(self, items: list[PersonalItem]) -> Verdict:
        """What `_judge` says of a text in which these values were found."""
        threshold = self.policy.personal.threshold or 0.0
        score, detail = _counts(items)
        action = self.policy.personal.action if score >= threshold and score > 0.0 else "allow"
        return Verdict("personal", PERSONAL_VERSION, True, score, threshold, action, detail)

    def _personal(self, text: str) -> _Finding:
        threshold = self.policy.personal.threshold or 0.0
        items = find_personal(text)
        certain = [item for item in items if item.score >= threshold]
        best, detail = _counts(items)
        return _Finding(PERSONAL_VERSION, best, detail, masked=lambda: mask(text, certain)[0])

    def _leaked(self, text: str) -> _Finding | None:
        if self._leak is None:
            return None
        leak = self._leak.check(text)

        def masked() -> str:
            out = text
            for start, end in reversed(leak.spans):
                out = f"{out[:start]}[SYSTEM_PROMPT]{out[end:]}"
            return out

        return _Finding(LEAK_VERSION, leak.share, "canary" if leak.canary else f"{len(leak.spans)} runs", masked=masked)


def _counts(items: list[PersonalItem]) -> tuple[float, str]:
    """(highest score, how many of each kind)."""
    if not items:
        return 0.0, ""
    kinds = sorted({item.kind for item in items})
    detail = ", ".join(f"{sum(item.kind == kind for item in items)} {kind}" for kind in kinds)
    return max(item.score for item in items), detail


class OutputWatch:
    """The output door on a stream: personal data is masked as it passes, a leak of the instructions ends the answer.

    `mask(all pieces)` and the verdicts are those of `check_output` on the whole text, for every chunking. Checks that
    have no form for streams run on the whole text at the end.
    """

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._checks = guard.policy.output
        policy = guard.policy.personal
        self._hold = HoldBack() if "personal" in self._checks and policy.action == "mask" else None
        watched = "leak" in self._checks and guard._leak is not None and guard.policy.leak.action == "block"
        self._leak = LeakWatch(guard._leak) if watched and guard._leak is not None else None
        self._limit = guard.policy.leak.threshold or 0.0
        self._said: list[str] = []
        self._share = 0.0

    def feed(self, piece: str) -> tuple[str, GuardResult | None]:
        """(text that may be shown now, the result that ends the answer)."""
        self._said.append(piece)
        if self._leak is not None:
            self._share = self._leak.feed(piece)
            if 0.0 < self._share >= self._limit:
                return "", self._result()
        return (self._hold.feed(piece) if self._hold else piece), None

    def finish(self) -> tuple[str, GuardResult]:
        """(the rest of the text, what all checks say of the whole)."""
        rest = self._hold.finish() if self._hold else ""
        return rest, self._result()

    def _result(self) -> GuardResult:
        text = "".join(self._said)
        if self._leak is None:
            return self._guard.check_output(text)
        verdicts = []
        for check in self._checks:
            if check == "personal" and self._hold is not None:
                verdicts.append(self._guard._personal_verdict(self._hold.items))
            elif check == "leak":
                action = "block" if 0.0 < self._share >= self._limit else "allow"
                verdicts.append(Verdict(check, LEAK_VERSION, True, self._share, self._limit, action, ""))
            else:
                verdicts.append(self._guard._judge(check, text, [])[0])
        blocked = any(v.action == "block" for v in verdicts)
        masked = any(v.action == "mask" for v in verdicts)
        return GuardResult("block" if blocked else "mask" if masked else "allow", "", tuple(verdicts))
