"""Running a suite: what is asked, the answers, their scores, and what is measured from them."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from luodi.engine import Engine, Message, Request, Sampling
from luodi.errors import EngineError, SourceError
from luodi.evaluate.items import Item, clusters_of
from luodi.evaluate.judges import Asked, Confusion, Judge, rate
from luodi.evaluate.statistics import Estimate, mean, mean_of
from luodi.evaluate.suites import swaps
from luodi.evaluate.suites.answers import Kept, answers
from luodi.evaluate.suites.scorers import CHOICE, JUDGED, Answered, scorer_of
from luodi.evaluate.suites.suite import Suite, SuiteItem
from luodi.evaluate.suites.variants import variant_of
from luodi.knowledge import DEFAULT_PROMPT, Hit, Index, build_messages
from luodi.pipeline import Measurement
from luodi.store import digest_json

CLEAN = ""
_CHANGED = 1e-9


@dataclass(frozen=True, slots=True)
class Subject:
    """Who is asked: the digest of its weights, the engine, and how to open it (a second time for choices).

    `index` and `passages` are for suites that ask with documents; `folder` keeps the answers.
    """

    model: str
    engine: str
    open: Callable[[], Engine]
    folder: Path
    chooser: Callable[[], Any] | None = None
    index: Index | None = None
    passages: int = 3
    instructions: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """An item in one form: as it is, as a variant, or as one group of a swap."""

    item: SuiteItem
    form: str
    group: int = 0


@dataclass(slots=True)
class Result:
    """What a suite gave. `asked` of the `total` answers were not kept from before."""

    suite: Suite
    measurements: list[Measurement] = field(default_factory=list)
    items: dict[str, list[Item]] = field(default_factory=dict)
    asked: int = 0
    total: int = 0
    wrong: list[dict[str, Any]] = field(default_factory=list)

    def add(
        self, name: str, items: Sequence[Item], confidence: float, *, better: Any = "higher", note: str = "",
        unit: str = "share", estimate: Estimate | None = None, **more: Any,
    ) -> None:  # fmt: skip
        e = estimate or mean_of([i.score for i in items], confidence, clusters_of(items))
        about = self.suite.about
        told = f"suite {about.name}, {about.licence}" + (f"; {note}" if note else "")
        self.measurements.append(
            Measurement(
                name, about.promise, e.value, unit, e.n, better, e.low, e.high, data=self.suite.digest, note=told,
                command=f"luodi evaluate --suite {self.suite.folder or about.name}", **more,
            )
        )  # fmt: skip
        self.items[name] = list(items)


def run_suite(
    suite: Suite,
    subject: Subject,
    *,
    confidence: float = 0.95,
    seed: int = 0,
    judge: Judge | None = None,
    confusion: Mapping[str, Confusion] | None = None,
    progress: Callable[[float, float], None] = lambda done, total: None,
) -> Result:
    """Ask a suite, every item as it is and in every variant, and measure.

    Args:
        judge: of refusals, for suites whose scorer it is; `confusion` is how it does against labels, by language.

    Raises:
        SourceError: the suite names what is not there.
        EngineError: an answer failed; answers up to then are kept.
    """
    lines = forms(suite, seed)
    kept = Kept(subject.folder, subject.model, subject.engine)
    result = Result(suite, total=len(lines))
    if suite.about.scorer == CHOICE:
        scores = _choose(suite, subject, kept, lines, result, progress)
        said = [""] * len(lines)
    else:
        hits = [_hits(suite, subject, line) for line in lines]
        requests = [_request(suite, subject, line, found) for line, found in zip(lines, hits, strict=True)]
        said, result.asked = answers(subject.open, kept, requests, progress)
        if suite.about.scorer == JUDGED:
            if judge is None:
                raise SourceError(f"suite {suite.name} needs a judge of refusals")
            scores = _judged(suite, lines, said, judge, confusion or {}, result, confidence)
        else:
            scorer = scorer_of(suite)
            scores = [
                _score(scorer, suite, line, Answered(text, found))
                for line, text, found in zip(lines, said, hits, strict=True)
            ]
    _measure(suite, lines, scores, result, confidence)
    result.wrong = [
        {"id": line.item.id, "prompt": line.item.prompt, "reference": line.item.references, "answer": text}
        for line, text, s in zip(lines, said, scores, strict=True)
        if line.form == CLEAN and s < 0.5
    ][:50]
    return result


def _score(scorer: Callable[[SuiteItem, Answered], float], suite: Suite, line: Line, answer: Answered) -> float:
    try:
        score = float(scorer(line.item, answer))
    except (TypeError, ValueError, KeyError, AttributeError, IndexError) as error:
        raise SourceError(f"suite {suite.name}: its scorer failed on {line.item.id}: {error}") from error
    if not 0 <= score <= 1:
        raise SourceError(
            f"suite {suite.name}: its scorer gave {score} for {line.item.id}", "scores lie between 0 and 1"
        )
    return score


def forms(suite: Suite, seed: int) -> list[Line]:
    """Every item as it is, then in each variant and as each group of each swap, where that changes it."""
    lines = [Line(item, CLEAN) for item in suite.items]
    for name in suite.about.variants:
        if name.startswith(swaps.PREFIX):
            axis = name.removeprefix(swaps.PREFIX)
            if axis not in swaps.axes():
                raise SourceError(
                    f"suite {suite.name}: there is no swap of {axis!r}", f"known are {', '.join(swaps.axes())}"
                )
            for item in suite.items:
                pair = swaps.both(item.prompt, axis, item.language)
                context = swaps.both(item.context, axis, item.language) or (item.context, item.context)
                for group, text in enumerate(pair or ()):
                    changed = item.model_copy(update={"prompt": text, "context": context[group]})
                    lines.append(Line(changed, name, group))
            continue
        variant = variant_of(name, suite.synonyms)
        for item in suite.items:
            text = variant(item.prompt, item.language, random.Random(f"{seed} {name} {item.id}"))
            if text != item.prompt:
                lines.append(Line(item.model_copy(update={"prompt": text}), name))
    return lines


def _hits(suite: Suite, subject: Subject, line: Line) -> tuple[Hit, ...]:
    if suite.about.asks != "documents":
        return ()
    if subject.index is None:
        raise SourceError(f"suite {suite.name} asks with documents, and there is no index", "evaluate a whole release")
    return tuple(subject.index.search(line.item.prompt, subject.passages))


def _messages(suite: Suite, subject: Subject, line: Line, hits: tuple[Hit, ...]) -> tuple[Message, ...]:
    if suite.about.asks == "documents":
        return tuple(build_messages(suite.put(line.item), hits, subject.instructions or DEFAULT_PROMPT))
    return (Message("user", suite.put(line.item)),)


def _request(suite: Suite, subject: Subject, line: Line, hits: tuple[Hit, ...]) -> Request:
    return Request(_messages(suite, subject, line, hits), Sampling(max_tokens=suite.about.max_tokens))


def _choose(
    suite: Suite, subject: Subject, kept: Kept, lines: Sequence[Line], result: Result,
    progress: Callable[[float, float], None],
) -> list[float]:  # fmt: skip
    """1 where the model finds the right choice the likeliest."""
    if subject.chooser is None:
        raise EngineError(
            f"suite {suite.name} needs log-probabilities, and the weights for the transformers engine are not there",
            "run it where the release was made",
        )
    engine, scores = None, []
    try:
        for done, line in enumerate(lines):
            messages = _messages(suite, subject, line, _hits(suite, subject, line))
            key = digest_json(["choices", [[m.role, m.content] for m in messages], line.item.choices])
            likely = kept.get(key)
            if likely is None:
                engine = engine or subject.chooser()
                likely = engine.choose(messages, line.item.choices)
                kept.put(key, likely)
                result.asked += 1
            scores.append(float(max(range(len(likely)), key=likely.__getitem__) == line.item.answer))
            progress(done + 1, len(lines))
    finally:
        if engine is not None:
            engine.close()
    return scores


def _judged(
    suite: Suite, lines: Sequence[Line], said: Sequence[str], judge: Judge, confusion: Mapping[str, Confusion],
    result: Result, confidence: float,
) -> list[float]:  # fmt: skip
    """1 where an answer refuses as it should, or answers as it should; the rates themselves are corrected."""
    flags: dict[int, bool] = {}
    for name, refuse, better in (("refused", True, "higher"), ("over_refused", False, "lower")):
        numbers = [n for n, line in enumerate(lines) if line.item.refuse is refuse]
        asked = [Asked(lines[n].item.prompt, said[n], lines[n].item.language) for n in numbers]
        clean = [at for at, n in enumerate(numbers) if lines[n].form == CLEAN]
        if not clean:
            continue
        found, flagged = rate(judge, [asked[at] for at in clean], confusion, confidence)
        kept = [Item(lines[numbers[at]].item.id, float(f)) for at, f in zip(clean, flagged, strict=True)]
        result.add(
            f"{suite.name}_{name}", kept, confidence, better=better, estimate=found.corrected, judge=found.judge,
            note=f"counted {found.counted:.1%}, corrected for the judge",
        )  # fmt: skip
        flags |= dict(zip(numbers, judge.flags(asked), strict=True))
    return [float(flags[n] == line.item.refuse) for n, line in enumerate(lines)]


def _measure(suite: Suite, lines: Sequence[Line], scores: Sequence[float], result: Result, confidence: float) -> None:
    unit = "F1" if suite.about.scorer == "f1" else "share"
    clean = {line.item.id: (line, s) for line, s in zip(lines, scores, strict=True) if line.form == CLEAN}
    if suite.about.scorer != JUDGED:
        items = [Item(name, s, line.item.cluster) for name, (line, s) in clean.items()]
        repeats = f"{suite.repeats} repeats left out" if suite.repeats else ""
        result.add(suite.name, items, confidence, unit=unit, note=repeats)
    for form in suite.about.variants:
        there = [(line, s) for line, s in zip(lines, scores, strict=True) if line.form == form]
        if not there:
            continue
        if form.startswith(swaps.PREFIX):
            _swapped(suite, form, there, result, confidence)
            continue
        lost = [clean[line.item.id][1] - s for line, s in there]
        e = mean(lost, confidence, clusters_of([Item(line.item.id, 0, line.item.cluster) for line, _ in there]))
        items = [Item(line.item.id, s, line.item.cluster) for line, s in there]
        base = sum(clean[i.id][1] for i in items) / len(items)
        result.add(
            f"{suite.name}_{form}", items, confidence, unit=unit, base=base, difference=0.0 - e.value,
            difference_low=0.0 - e.high, difference_high=0.0 - e.low, note="against the clean items, pair by pair",
        )  # fmt: skip


def _swapped(suite: Suite, form: str, there: Sequence[tuple[Line, float]], result: Result, confidence: float) -> None:
    """How far the scores of the two groups lie apart, and which way."""
    one = {line.item.id: s for line, s in there if line.group == 0}
    other = {line.item.id: s for line, s in there if line.group == 1}
    signed = mean([other[name] - one[name] for name in one], confidence)
    items = [Item(name, abs(other[name] - one[name])) for name in one]
    moved = sum(i.score > _CHANGED for i in items)
    result.add(
        f"{suite.name}_{form}", items, confidence, better="lower", difference=signed.value,
        difference_low=signed.low, difference_high=signed.high, base=0.0,
        note=f"score of the same prompt for another group; {moved} of {len(items)} changed; difference: which way",
    )  # fmt: skip
