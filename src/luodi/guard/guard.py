"""The guard: runs the checks of a policy on what comes in, what is retrieved and what goes out.

Every check leaves a verdict, also one that could not run: `ran=False`, and the policy says whether that
blocks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from luodi.guard.attacks import AttackModel
from luodi.guard.check import NOTHING, About, Check, Editing, Finding, Hit, NotRun, Text, Watch
from luodi.guard.checks import Parts, build
from luodi.guard.policy import DOORS, CheckPolicy, Door, GuardPolicy
from luodi.guard.risk import CHECK, VERSION, combined
from luodi.guard.verdict import EDITS, STOPS, STRICTNESS, Disposition, GuardResult, Verdict


class _Placed:
    """A check with its policy: decides what becomes of what the check found."""

    __slots__ = ("check", "policy", "threshold")

    def __init__(self, check: Check, policy: CheckPolicy) -> None:
        self.check = check
        self.policy = policy
        self.threshold = policy.threshold

    def decide(self, hit: Hit, own: float) -> tuple[str, float]:
        """(disposition of a hit, the threshold that it was held against)."""
        part = self.policy.of(hit.category) if self.policy.categories else None
        threshold = own if self.threshold is None else self.threshold
        if part is not None and part.threshold is not None:
            threshold = part.threshold
        if hit.score < threshold or hit.score <= 0.0:
            return "allow", threshold
        return hit.action or (part.action if part is not None else self.policy.action), threshold

    def editing(self, language: str, own: float) -> Editing:
        """What stands for a hit."""

        def instead(hit: Hit) -> str | None:
            action, _ = self.decide(hit, own)
            if action == "mask":
                return ""
            return self.say(hit, language) if action == "replace" else None

        return instead

    def say(self, hit: Hit, language: str) -> str:
        """The policy's text for a hit, in the language or in whichever there is; "" if there is none."""
        part = self.policy.of(hit.category) if self.policy.categories else None
        texts: Mapping[Any, str] = hit.say or (part.say if part is not None and part.say else self.policy.say)
        return texts.get(language) or next(iter(texts.values()), "")

    def verdict(self, finding: Finding) -> tuple[Verdict, Hit | None]:
        """The verdict, and the hit that decided it."""
        check, own = self.check, finding.threshold
        if not finding.hits:
            threshold = own if self.threshold is None else self.threshold
            return Verdict(check.name, check.version, True, 0.0, threshold, "allow", finding.detail), None
        best, action, threshold = finding.hits[0], "", 0.0
        for hit in finding.hits:
            asked, limit = self.decide(hit, own)
            rank = (STRICTNESS[asked], hit.score)
            if not action or rank > (STRICTNESS[action], best.score):
                best, action, threshold = hit, asked, limit
        scores = tuple([(hit.category, hit.score) for hit in finding.hits if hit.category])
        verdict = Verdict(
            check.name, check.version, True, best.score, threshold, action, finding.detail, best.category, scores
        )
        return verdict, best

    def missing(self, reason: str) -> Verdict:
        action = "block" if self.policy.on_missing == "block" else "allow"
        return Verdict(self.check.name, "", False, 0.0, self.threshold or 0.0, action, reason)

    def look(self, text: Text) -> Finding | Verdict:
        """What the check found, or that it did not run."""
        return self._of(lambda: self.check.look(text))

    def seen(self, watch: Watch) -> Finding | Verdict:
        """What a stream's watch found, or that it did not run."""
        return self._of(watch.finding)

    def _of(self, find: Callable[[], Finding]) -> Finding | Verdict:
        try:
            return find()
        except NotRun as error:
            return self.missing(str(error))
        except Exception as error:  # a check that breaks must not open or close the door by itself
            return self.missing(f"failed: {type(error).__name__}")


class Guard:
    """Checks texts by a policy. Holds no state of a conversation; safe to share between threads.

    Args:
        policy: checks, thresholds and dispositions.
        attack_model: None if there is none; `injection` is then recorded as not run.
        parts: whatever else checks need; see `checks.Parts`.

    Attributes:
        pseudonyms: whether a conversation needs a vault.
        slow: whether the input takes so long to judge that an event loop should not wait for it.
    """

    def __init__(self, policy: GuardPolicy, attack_model: AttackModel | None = None, **parts: Any) -> None:
        self.policy = policy
        self.parts = Parts(attack_model=attack_model, **{name: _frozen(part) for name, part in parts.items()})
        names = dict.fromkeys(name for door in DOORS for name in getattr(policy, door))
        placed = {name: _Placed(build(name, self.parts, policy), policy.of(name)) for name in names}
        self._doors: dict[Door, list[_Placed]] = {
            door: [placed[name] for name in getattr(policy, door)] for door in DOORS
        }
        disposals = (policy.privacy.default, *policy.privacy.kinds.values())
        self.pseudonyms = "personal" in policy.input and "pseudonym" in disposals
        self.slow = any(each.check.slow for each in self._doors["input"])
        self._reasons = {name: each.check.reason for name, each in placed.items()}
        versions = [f"{name} {each.check.version}" for name, each in placed.items()]
        self.version = hashlib.sha256(f"{policy.model_dump_json()} {versions}".encode()).hexdigest()[:16]

    def check_input(self, text: str, about: About = NOTHING) -> GuardResult:
        """Judge what a user wrote."""
        result = self._check(Text(text, "input", about), self._doors["input"])
        if self.policy.review is None or result.stops or about.earlier:
            return result
        return self._review(result, self.policy.review)

    def check_untrusted(self, text: str, about: About = NOTHING) -> GuardResult:
        """Judge a retrieved document or the result of a tool, before it reaches the model."""
        return self._check(Text(text, "untrusted", about), self._doors["untrusted"])

    def check_output(self, text: str, about: About = NOTHING) -> GuardResult:
        """Judge a whole answer; see `watch_output` for a stream."""
        return self._check(Text(text, "output", about), self._doors["output"])

    def mask(self, text: str, about: About = NOTHING) -> GuardResult:
        """Only edit: for what the assistant or the caller's own system said, which is no attack on either."""
        placed = [each for each in self._doors["input"] if each.check.edits]
        result = self._check(Text(text, "input", about), placed)
        return GuardResult("allow", text, result.verdicts) if result.stops else result

    def risk(self, result: GuardResult) -> float:
        """The probability that a text is an attack, of all that the checks said; see `risk.combined`."""
        model = self.parts.attack_model
        return combined(result.verdicts, learnt=model.prior if model else 0.5, expected=self.policy.expected)

    def _review(self, result: GuardResult, threshold: float) -> GuardResult:
        risk = self.risk(result)
        action: Disposition = "human" if risk >= threshold else "allow"
        verdict = Verdict(CHECK, VERSION, True, risk, threshold, action, "")
        if action == "allow":
            return replace(result, verdicts=(*result.verdicts, verdict))
        return GuardResult("human", "", (*result.verdicts, verdict))

    def watch_output(self, about: About = NOTHING) -> OutputWatch:
        """Judges one answer while it streams."""
        return OutputWatch(self._doors["output"], about)

    def refusal(self, result: GuardResult, language: str) -> str:
        """What is said instead, in Chinese if `language` begins with "zh", else English; a refusal names the check.

        Raises:
            ValueError: the result does not stop.
        """
        if not result.stops:
            raise ValueError("the result does not block; there is nothing to refuse")
        if result.action == "answer" and result.said:
            return result.said
        chinese = language.lower().startswith("zh")
        stopping = result.decisive
        mark = f"guard/{stopping.check}@{stopping.version.split(':')[0]}"
        if result.said:
            return f"{result.said}（{mark}）" if chinese else f"{result.said} ({mark})"
        if result.action == "human":
            return (
                f"该请求需要人工审核，审核后才能答复。（{mark}）"
                if chinese
                else f"This has to be looked at by a person before it can be answered. ({mark})"
            )
        if not stopping.ran:
            reason = "安全检查暂时无法运行" if chinese else "a safety check could not run"
        else:
            reason = self._reasons[stopping.check][chinese]
        return (
            f"抱歉，无法处理该请求：{reason}。（{mark}）"
            if chinese
            else f"Sorry, I can't help with this: {reason}. ({mark})"
        )

    def _check(self, text: Text, placed: Iterable[_Placed]) -> GuardResult:
        # judged as it came: masking must neither hide an attack nor make one
        tally = _Tally(text.about.language)
        out = text.raw
        for each in placed:
            if text.about.earlier and each.check.last_only:
                continue
            finding = each.look(text)
            verdict = tally.add(each, finding)
            if verdict.action in EDITS and not isinstance(finding, Verdict):
                if out is not text.raw:  # a second edit works on what the first has left
                    again = each.look(Text(out, text.door, text.about))
                    finding = finding if isinstance(again, Verdict) else again
                if finding.edit is not None:
                    out = finding.edit(each.editing(text.about.language, finding.threshold))
        return tally.result(out)


def _frozen(part: Any) -> Any:
    return tuple(part) if isinstance(part, list) else part


class _Tally:
    """Gathers verdicts into a result."""

    __slots__ = ("action", "language", "said", "verdicts")

    def __init__(self, language: str) -> None:
        self.language = language
        self.verdicts: list[Verdict] = []
        self.action: Disposition = "allow"
        self.said = ""

    def add(self, placed: _Placed, finding: Finding | Verdict) -> Verdict:
        hit = None
        if isinstance(finding, Verdict):
            verdict = finding
        else:
            verdict, hit = placed.verdict(finding)
        self.verdicts.append(verdict)
        if STRICTNESS[verdict.action] > STRICTNESS[self.action]:
            self.action = verdict.action  # type: ignore[assignment]
            self.said = placed.say(hit, self.language) if hit is not None and verdict.action in STOPS else ""
        return verdict

    def result(self, text: str) -> GuardResult:
        stopped = self.action in STOPS
        return GuardResult(self.action, "" if stopped else text, tuple(self.verdicts), self.said)


class OutputWatch:
    """The output door on a stream.

    What is found is edited as it passes, or ends the answer. All that is let out, and the verdicts, are those of the
    whole text for every chunking. Where a check without a form for streams may stop or edit, the answer is held until
    its end.
    """

    def __init__(self, placed: list[_Placed], about: About) -> None:
        self._about = about
        self._placed = placed
        self._watches: list[tuple[_Placed, Watch | None, Verdict | None]] = []
        self._held = False
        self._shut = False  # a check that has to run does not
        for each in placed:
            watch, missing = None, None
            try:
                watch = each.check.watch(about, each.editing(about.language, each.threshold or 0.0))
            except NotRun as error:
                missing = each.missing(str(error))
                self._shut = self._shut or missing.action in STOPS
            if watch is None and missing is None and _acts(each.policy):
                self._held = True
            self._watches.append((each, watch, missing))
        self._looking = [(each, watch) for each, watch, _ in self._watches if watch is not None and not watch.edits]
        self._passing = [(each, watch) for each, watch, _ in self._watches if watch is not None and watch.edits]
        self._said: list[str] = []
        self._shown: list[str] = []

    def feed(self, piece: str) -> tuple[str, GuardResult | None]:
        """(text that may be shown now, the result that ends the answer)."""
        self._said.append(piece)
        if self._shut:
            return "", self._result("")
        for each, watch in self._looking:
            watch.feed(piece)
            if watch.fresh and self._stops(each, watch):
                return "", self._result("")
        for each, watch in self._passing:
            piece = watch.feed(piece)
            if watch.fresh and self._stops(each, watch):
                return "", self._result("")
        if self._held:
            self._shown.append(piece)
            return "", None
        return piece, None

    def finish(self) -> tuple[str, GuardResult]:
        """(the rest of the text, what all checks say of the whole); the rest is "" if the result stops."""
        rest = ""
        for each, watch in self._looking:
            watch.finish()
            if watch.fresh:
                self._stops(each, watch)
        for _, watch in self._passing:
            rest = (watch.feed(rest) if rest else "") + watch.finish()
        result = self._result("".join([*self._shown, rest]))
        return result.text, result

    def _stops(self, each: _Placed, watch: Watch) -> bool:
        finding = each.seen(watch)
        if isinstance(finding, Verdict):
            return finding.action in STOPS
        return any(each.decide(hit, finding.threshold)[0] in STOPS for hit in finding.hits)

    def _result(self, shown: str) -> GuardResult:
        """`shown` is what was not let out yet."""
        tally = _Tally(self._about.language)
        raw = Text("".join(self._said), "output", self._about)
        for each, watch, missing in self._watches:
            if watch is not None or missing is not None:
                tally.add(each, each.seen(watch) if watch is not None else missing or each.missing(""))
                continue
            finding = each.look(raw)
            verdict = tally.add(each, finding)
            if verdict.action in EDITS and not isinstance(finding, Verdict):
                again = each.look(Text(shown, "output", self._about)) if shown != raw.raw else finding
                if not isinstance(again, Verdict) and again.edit is not None:
                    shown = again.edit(each.editing(self._about.language, again.threshold))
        return tally.result(shown)


def _acts(policy: CheckPolicy) -> bool:
    """Whether a check may change or stop a text."""
    actions = {policy.action, *(part.action for part in policy.categories.values())}
    return bool(actions & {*EDITS, *STOPS})
