"""The guard: runs the checks of a policy on what comes in, what is retrieved and what goes out.

Every check leaves a verdict, also one that could not run: `ran=False`, and the policy says whether that
blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from luodi.guard.attacks import AttackModel
from luodi.guard.leak import LeakCheck
from luodi.guard.normalise import views
from luodi.guard.personal import find_personal, mask
from luodi.guard.policy import Check, GuardPolicy
from luodi.guard.rules import RULES_VERSION, match_rules

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

    def check_input(self, text: str) -> GuardResult:
        """Judge what a user wrote."""
        return self._check(text, self.policy.input)

    def check_untrusted(self, text: str) -> GuardResult:
        """Judge a retrieved document or the result of a tool, before it reaches the model."""
        return self._check(text, self.policy.untrusted)

    def check_output(self, text: str) -> GuardResult:
        """Judge a whole answer; for a stream, mask with `HoldBack` and judge the whole at the end."""
        return self._check(text, self.policy.output)

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
        for check in checks:
            verdict, finding = self._judge(check, text)
            verdicts.append(verdict)
            if verdict.action == "block":
                action = "block"
            elif verdict.action == "mask" and action != "block":
                action = "mask"
                # a second mask works on what the first has left
                again = finding if out == text else self._find(check, out)
                out = again.masked() if again and again.masked else out
        return GuardResult(action, "" if action == "block" else out, tuple(verdicts))

    def _judge(self, check: Check, text: str) -> tuple[Verdict, _Finding | None]:
        policy = self.policy.of(check)
        finding, reason = None, "not configured"
        try:
            finding = self._find(check, text)
        except Exception as error:  # a check that breaks must not open or close the door by itself
            reason = f"failed: {type(error).__name__}"
        if finding is None:
            missing = "block" if policy.on_missing == "block" else "allow"
            return Verdict(check, "", False, 0.0, policy.threshold or 0.0, missing, reason), None
        threshold = policy.threshold if policy.threshold is not None else finding.threshold or 0.0
        hit = finding.score >= threshold and finding.score > 0.0
        action = policy.action if hit else "allow"
        return Verdict(check, finding.version, True, finding.score, threshold, action, finding.detail), finding

    def _find(self, check: Check, text: str) -> _Finding | None:
        """What a check finds; None if it is not configured."""
        if check == "personal":
            return self._personal(text)
        if check == "rules":
            hits = match_rules(views(text))
            detail = ", ".join(f"{hit.rule.id}@{hit.rule.version}" for hit in hits)
            return _Finding(RULES_VERSION, 1.0 if hits else 0.0, detail)
        if check == "injection":
            if self._model is None:
                return None
            return _Finding(self._model.version, self._model.score(text), "", self._model.threshold)
        return self._leaked(text)

    def _personal(self, text: str) -> _Finding:
        threshold = self.policy.personal.threshold or 0.0
        items = find_personal(text)
        kinds = sorted({item.kind for item in items})
        detail = ", ".join(f"{sum(item.kind == kind for item in items)} {kind}" for kind in kinds)
        certain = [item for item in items if item.score >= threshold]
        best = max((item.score for item in items), default=0.0)
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
