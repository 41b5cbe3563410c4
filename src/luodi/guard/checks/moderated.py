"""Content by category: words of a library, and a model of categories."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from luodi.guard.check import CLEAN, About, Base, Editing, Finding, Hit, NotRun, Text, Watch
from luodi.guard.features import Grams, grams
from luodi.guard.moderation.automaton import MASK, Match, clusters
from luodi.guard.moderation.watching import WordWatch
from luodi.guard.normalise import normalise
from luodi.guard.policy import CheckPolicy

if TYPE_CHECKING:
    from luodi.guard.checks import Parts
    from luodi.guard.moderation import CategoryModel, Words
    from luodi.guard.policy import GuardPolicy

_STEP = 120  # characters of a stream that the model judges at once
_CONTEXT = 180  # that it reads before them


class Moderated(Base):
    """The score of a word is 1, that of the model 0.5 at its threshold. Only words can be masked or replaced."""

    name: ClassVar[str] = "moderation"
    edits: ClassVar[bool] = True
    default: ClassVar[CheckPolicy] = CheckPolicy(threshold=0.5)
    reason: ClassVar[tuple[str, str]] = ("it is about something that is not answered here", "其内容不在可回答的范围内")

    def __init__(self, parts: Parts, policy: GuardPolicy) -> None:
        self._words = parts.words if parts.words is not None and len(parts.words) else None
        self._model = parts.categories
        versions = [part.version for part in (self._words, self._model) if part is not None]
        self.version = "+".join(versions)

    def _ready(self) -> None:
        if self._words is None and self._model is None:
            raise NotRun("no words and no model")

    def look(self, text: Text) -> Finding:
        self._ready()
        hits: list[Hit] = []
        detail = ""
        matches: list[Match] = []
        if self._words is not None:
            matches = self._words.find(text.raw)
            hidden = [match for form in text.forms[1:] for match in self._words.find(form)]
            hits += [Hit(1.0, name) for name in dict.fromkeys(m.category for m in [*matches, *hidden])]
            detail = _counted(matches, hidden)
        if self._model is not None:
            hits += _scored(self._model, text.grams, {hit.category for hit in hits})
        if not hits:
            return CLEAN

        def edit(editing: Editing) -> str:
            out: list[str] = []
            done = 0
            for start, end, group in clusters(matches):
                said = _replaced(group, editing)
                if said is not None:
                    out += (text.raw[done:start], said)
                    done = end
            return "".join([*out, text.raw[done:]])

        return Finding(hits, detail, edit=edit)

    def watch(self, about: About, editing: Editing) -> Watch | None:
        self._ready()
        return _Watch(self._words, self._model, editing)


def _replaced(group: list[Match], editing: Editing) -> str | None:
    for match in group:
        said = editing(Hit(1.0, match.category))
        if said is not None:
            return said or MASK
    return None


def _counted(matches: list[Match], hidden: list[Match]) -> str:
    if not matches and not hidden:
        return ""
    return f"{len(matches)} words" + (f", {len(hidden)} in disguise" if hidden else "")


def _scored(model: CategoryModel, forms: list[Grams], seen: set[str]) -> list[Hit]:
    return [Hit(score, name) for name, score in model.scores(forms) if score >= 0.05 and name not in seen]


class _Watch:
    """Words are held back until they are whole; the model holds at most 120 characters until it has read them."""

    edits = True

    def __init__(self, words: Words | None, model: CategoryModel | None, editing: Editing) -> None:
        self._watch = WordWatch(words, lambda group: _replaced(group, editing)) if words is not None else None
        self._model = model
        self._scores: dict[str, float] = {}
        self._held = ""
        self._before = ""
        self._told = 0
        self._raised = False

    @property
    def fresh(self) -> bool:
        return self._raised or (self._watch is not None and len(self._watch.matches) > self._told)

    def feed(self, piece: str) -> str:
        shown = piece if self._watch is None else self._watch.feed(piece)
        if self._model is None:
            return shown
        self._held += shown
        out = ""
        while len(self._held) >= _STEP:
            out += self._judge(self._held[:_STEP])
        return out

    def finish(self) -> str:
        rest = "" if self._watch is None else self._watch.finish()
        if self._model is None:
            return rest
        out = ""
        self._held += rest
        while self._held:
            out += self._judge(self._held[:_STEP])
        return out

    def _judge(self, part: str) -> str:
        assert self._model is not None
        window = grams(normalise(self._before + part))
        for name, score in self._model.scores([window]):
            if score > self._scores.get(name, 0.05):
                self._raised = self._raised or score >= 0.25
                self._scores[name] = score
        self._before = (self._before + part)[-_CONTEXT:]
        self._held = self._held[len(part) :]
        return part

    def finding(self) -> Finding:
        matches = self._watch.matches if self._watch is not None else []
        self._told, self._raised = len(matches), False
        hits = [Hit(1.0, name) for name in dict.fromkeys(m.category for m in matches)]
        seen = {hit.category for hit in hits}
        hits += [Hit(score, name) for name, score in self._scores.items() if name not in seen]
        return Finding(hits, _counted(matches, []))
