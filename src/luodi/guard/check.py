"""A check of the guard: what it is given, what it says, and its form on a stream.

A check never decides: it says what it found and how sure it is, and the policy says what becomes of that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from luodi.guard.features import Grams, grams
from luodi.guard.normalise import views
from luodi.guard.policy import CheckPolicy, Door

if TYPE_CHECKING:
    from luodi.guard.vault import Vault


class NotRun(Exception):
    """A check cannot run on this text; the message says why, for the log."""


@dataclass(frozen=True, slots=True)
class About:
    """What is known beside the text; all of it may be left out.

    Attributes:
        language: of the conversation.
        turns: what the user said before, the oldest first.
        caller: id, team, roles of who calls.
        task, model: what is asked for.
        confirmed: whether the user has confirmed what is about to be done.
        tool, arguments: the tool that is called, and with what.
        shown: texts that the model was shown; repeating them is quoting.
        vault: of the conversation, where pseudonyms are written.
        earlier: whether the text is an earlier turn of the conversation, judged already when it was the last.
    """

    language: Literal["en", "zh"] = "en"
    turns: tuple[str, ...] = ()
    caller: Mapping[str, Any] = field(default_factory=dict)
    task: str = ""
    model: str = ""
    confirmed: bool = False
    tool: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    shown: tuple[str, ...] = ()
    vault: Vault | None = None
    earlier: bool = False


NOTHING = About()
READ = 200_000  # characters of a text that models read


class Text:
    """A text at a door. What several checks need of it is made once."""

    __slots__ = ("_forms", "_grams", "about", "door", "raw")

    def __init__(self, raw: str, door: Door, about: About = NOTHING) -> None:
        self.raw = raw
        self.door = door
        self.about = about
        self._forms: list[str] | None = None
        self._grams: list[Grams] | None = None

    @property
    def forms(self) -> list[str]:
        """Its normal forms; see `normalise.views`."""
        if self._forms is None:
            self._forms = views(self.raw)
        return self._forms

    @property
    def grams(self) -> list[Grams]:
        """The n-grams of each normal form, of its first 200,000 characters."""
        if self._grams is None:
            self._grams = [grams(form[:READ]) for form in self.forms]
        return self._grams


@dataclass(frozen=True, slots=True)
class Hit:
    """Something found.

    Attributes:
        score: 0 to 1.
        category: "" for a check without categories.
        action, say: what becomes of it, where what was found says so itself (a business rule).
    """

    score: float
    category: str = ""
    action: str = ""
    say: Mapping[Any, str] | None = None


Editing = Callable[[Hit], "str | None"]
"""What stands for a hit: None leaves it as it is, "" is the check's own mask, other text replaces it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found in a text.

    Attributes:
        hits: none if it found nothing; also those under the threshold.
        detail: for the log, without personal values.
        threshold: the check's own, where the policy names none.
        edit: the text with its hits edited; None if the check cannot.
    """

    hits: Sequence[Hit] = ()
    detail: str = ""
    threshold: float = 0.0
    edit: Callable[[Editing], str] | None = None


CLEAN = Finding()


class Watch(Protocol):
    """A check on one stream. Its finding and all that it lets out are those of the whole text, for every chunking.

    Attributes:
        edits: whether text goes through it and may be held back; else it only looks on.
        fresh: whether something was found since `finding` was last asked.
    """

    @property
    def edits(self) -> bool: ...

    @property
    def fresh(self) -> bool: ...

    def feed(self, piece: str) -> str:
        """What may be shown now; `piece` itself of a watch that does not edit."""
        ...

    def finish(self) -> str:
        """The rest."""
        ...

    def finding(self) -> Finding: ...


class Check(Protocol):
    """A check. Made once for a guard; safe between threads.

    Attributes:
        name: by which policies know it.
        doors: where it may stand.
        edits: whether it can mask or replace what it finds.
        needs_threshold: whether a policy must name one.
        last_only: whether it reads the last turn only, since it depends on more than the text.
        default: its policy where none is given.
        reason: what a refusal says, in English and Chinese.
        version: of the rules or weights; "" while it cannot run.
        slow: whether a text takes so long that an event loop should not wait for it.
    """

    name: ClassVar[str]
    doors: ClassVar[tuple[Door, ...]]
    edits: ClassVar[bool]
    needs_threshold: ClassVar[bool]
    last_only: ClassVar[bool]
    default: ClassVar[CheckPolicy]
    reason: ClassVar[tuple[str, str]]

    @property
    def version(self) -> str: ...

    @property
    def slow(self) -> bool: ...

    def look(self, text: Text) -> Finding:
        """Judge a whole text. Raises: NotRun."""
        ...

    def watch(self, about: About, editing: Editing) -> Watch | None:
        """Judge a stream; None if the check needs the whole text, which is then held until its end.

        Raises:
            NotRun: it cannot run.
        """
        ...


class Base:
    """What most checks have in common."""

    doors: ClassVar[tuple[Door, ...]] = ("input", "untrusted", "output")
    edits: ClassVar[bool] = False
    needs_threshold: ClassVar[bool] = False
    last_only: ClassVar[bool] = False
    default: ClassVar[CheckPolicy] = CheckPolicy()

    @property
    def slow(self) -> bool:
        return False

    def watch(self, about: About, editing: Editing) -> Watch | None:
        return None
