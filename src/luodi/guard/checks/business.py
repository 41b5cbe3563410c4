"""Business rules; a category is a rule's id, and what becomes of a text is what the rule says."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from luodi.guard.business.spec import SCORES
from luodi.guard.business.variables import of_text
from luodi.guard.check import CLEAN, About, Base, Editing, Finding, Hit, NotRun, Text, Watch
from luodi.guard.policy import CheckPolicy, Door
from luodi.guard.verdict import STOPS

if TYPE_CHECKING:
    from luodi.guard.business.rules import Rules
    from luodi.guard.checks import Parts
    from luodi.guard.policy import GuardPolicy


class Business(Base):
    """The score is the severity of the rule that holds: 0.25 low, 0.5 medium, 0.75 high, 1 critical."""

    name: ClassVar[str] = "business"
    doors: ClassVar[tuple[Door, ...]] = ("input", "output")
    edits: ClassVar[bool] = True
    last_only: ClassVar[bool] = True
    default: ClassVar[CheckPolicy] = CheckPolicy(threshold=0.0)
    reason: ClassVar[tuple[str, str]] = ("a rule of this service does not allow it", "本服务的规则不允许")

    def __init__(self, parts: Parts, policy: GuardPolicy) -> None:
        self._live = parts.rules

    @property
    def version(self) -> str:
        return self._live.current().version if self._live is not None else ""

    def look(self, text: Text) -> Finding:
        if self._live is None:
            raise NotRun("not configured")
        return _ask(self._live.current(), text)

    def watch(self, about: About, editing: Editing) -> Watch | None:
        if self._live is None:
            raise NotRun("not configured")
        rules = self._live.current()
        if any(rule.spec.then in STOPS and not rule.spec.dry_run for rule in rules.output):
            return None
        says = [said for rule in rules.output if rule.spec.then == "replace" for said in rule.spec.message.values()]
        return _Appending(rules, about, editing) if all(said.startswith("{text}") for said in says) else None


def _ask(rules: Rules, text: Text) -> Finding:
    asked = rules.output if text.door == "output" else rules.input
    if not asked:
        return CLEAN
    values = of_text(text, rules.zone)
    hits: list[Hit] = []
    notes: list[str] = []
    failed = ""
    for rule in asked:
        spec = rule.spec
        try:
            if not rule.holds(values):
                continue
        except ValueError as error:
            failed = failed or f"rule {spec.id}: {error}"
            continue
        hits.append(Hit(SCORES[spec.severity], spec.id, "log" if spec.dry_run else spec.then, spec.message))
        notes.append(f"{spec.id} (dry run: {spec.then})" if spec.dry_run else spec.id)
    if failed and not any(hit.action in STOPS for hit in hits):
        raise NotRun(failed)
    if not hits:
        return CLEAN

    def edit(editing: Editing) -> str:
        out = text.raw
        for hit in hits:
            said = editing(hit)
            if said:
                out = said.replace("{text}", out)
        return out

    return Finding(hits, ", ".join(notes), edit=edit)


class _Appending:
    """Rules that only add something behind an answer: it passes, and what is added comes at its end."""

    edits = True

    def __init__(self, rules: Rules, about: About, editing: Editing) -> None:
        self._rules, self._about, self._editing = rules, about, editing
        self._said: list[str] = []
        self._found: Finding | None = None

    @property
    def fresh(self) -> bool:
        return False

    def feed(self, piece: str) -> str:
        self._said.append(piece)
        return piece

    def finish(self) -> str:
        text = "".join(self._said)
        found = self.finding()
        return found.edit(self._editing)[len(text) :] if found.edit is not None else ""

    def finding(self) -> Finding:
        if self._found is None:
            self._found = _ask(self._rules, Text("".join(self._said), "output", self._about))
        return self._found
