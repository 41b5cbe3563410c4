"""Names, organisations and addresses, by small models that judge a sentence at a time.

`lac`      Chinese: LAC (Jiao et al. 2018), a two-layer GRU with a CRF, on ONNX Runtime; about a millisecond a sentence
`spacy`    English: spaCy's en_core_web_sm, and a rule for street addresses; some milliseconds a sentence
`presidio` Microsoft's Presidio with its English recognisers, behind the same protocol

Each is imported and loaded at first use, once, and runs on one thread. Their results are opinions: scores are fixed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from luodi.errors import LuodiError
from luodi.guard.english import PresidioEngine, SpacyEngine
from luodi.guard.item import PersonalItem, item_of
from luodi.guard.lac import LacEngine
from luodi.guard.sentences import Splitter

ENTITY_KINDS = ("person", "organization", "address", "location")


class EntityEngine(Protocol):
    """Finds what needs a model, in one sentence of at most `sentences.LONGEST` characters and what stands before it.

    Safe between threads.

    Attributes:
        version: of the engine and its weights, for the verdict.
        context: characters before a sentence that help to judge it; they are put before it, and what is found in them
            does not count.
    """

    name: str
    version: str
    context: int

    def find(self, sentence: str) -> list[PersonalItem]:
        """Values by place, without overlap."""
        ...


ENGINES: dict[str, Callable[[], EntityEngine]] = {"lac": LacEngine, "spacy": SpacyEngine, "presidio": PresidioEngine}
_loaded: dict[str, EntityEngine] = {}
_loading = threading.Lock()


def entity_engine(name: str) -> EntityEngine:
    """An engine by name, loaded once in a process.

    Raises:
        MissingExtraError: its packages are not installed.
        ValueError: no such engine.
    """
    if name not in ENGINES:
        raise ValueError(f"no entity engine {name!r}; known: {', '.join(ENGINES)}")
    with _loading:
        if name not in _loaded:
            _loaded[name] = ENGINES[name]()
        return _loaded[name]


class Entities:
    """The engines of a policy, and which of them could not run.

    Attributes:
        missing: why an engine does not run, by its name; a verdict says so.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.missing: dict[str, str] = {}
        self._engines: list[EntityEngine] = []
        for name in names:
            try:
                self._engines.append(entity_engine(name))
            except LuodiError as error:
                self.missing[name] = error.message
        self.version = ", ".join(engine.version for engine in self._engines)

    def find(self, text: str) -> list[PersonalItem]:
        """Values of a whole text, by place; linear in its length."""
        watch = self.watch()
        found, at = [], 0
        for sentence, items in [*watch.feed(text), *watch.finish()]:
            found += [item.moved(at) for item in items]
            at += len(sentence)
        return found

    def watch(self) -> SentenceWatch:
        """The same for a stream; a `stream.Finder`."""
        return SentenceWatch(self._engines, self.missing)


class SentenceWatch:
    """Judges each sentence when it is complete. An engine that breaks is named in `missing` and left out."""

    def __init__(self, engines: list[EntityEngine], missing: dict[str, str]) -> None:
        self._engines = engines
        self._missing = missing
        self._splitter = Splitter()
        self._keep = max((engine.context for engine in engines), default=0)
        self._before = ""

    def feed(self, chunk: str) -> list[tuple[str, list[PersonalItem]]]:
        return [(sentence, self._judge(sentence)) for sentence in self._splitter.feed(chunk)]

    def finish(self) -> list[tuple[str, list[PersonalItem]]]:
        return [(sentence, self._judge(sentence)) for sentence in self._splitter.finish()]

    def _judge(self, sentence: str) -> list[PersonalItem]:
        found: list[PersonalItem] = []
        for engine in list(self._engines):
            before = self._before[-engine.context :] if engine.context else ""
            try:
                for item in engine.find(before + sentence):
                    if item.end > len(before):  # of one that began before, what is not out yet
                        start = max(0, item.start - len(before))
                        found.append(item_of(item.kind, sentence, start, item.end - len(before), item.score))
            except Exception as error:  # what others wrote: it must not end an answer, and its absence is told
                self._missing[engine.name] = f"failed: {type(error).__name__}"
        if self._keep:
            self._before = (self._before + sentence)[-self._keep :]
        return sorted(found, key=lambda item: (item.start, item.end, item.kind))
