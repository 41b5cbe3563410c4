"""Answer quality on the gold set: retrieval, answers, citations and abstentions, against the untuned base."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from luodi.engine import Request, Sampling, answer_all, open_engine
from luodi.evaluate.items import Item as Scored
from luodi.evaluate.items import items_of, keep
from luodi.evaluate.scoring import cites, word_f1
from luodi.evaluate.statistics import Estimate, mean_of, paired_difference, share
from luodi.knowledge import (
    DEFAULT_PROMPT,
    Grounded,
    Hit,
    Index,
    abstain,
    build_messages,
    ground,
    says_unknown,
    sufficient,
)
from luodi.knowledge.answer import split_answer
from luodi.knowledge.ground import CITE, check_against, check_sentence, strip_citations
from luodi.knowledge.sentences import sentences
from luodi.knowledge.vectors import open_index
from luodi.pipeline import Context, Measurement, read_rows


class Params(BaseModel):
    instructions: str
    engine: str
    pick: str
    passages: int
    max_tokens: int
    gold: int
    confidence: float
    threads: int


@dataclass(frozen=True, slots=True)
class Item:
    """A gold question with its passages; `right` is whether the passages hold the right section."""

    id: str
    question: str
    reference: str
    place: tuple[str, str]
    hits: tuple[Hit, ...]
    answerable: bool
    sufficient: bool

    @property
    def right(self) -> bool:
        return any((h.chunk.path, h.chunk.title) == self.place for h in self.hits)


def gold_items(ctx: Context, index: Index, passages: int, limit: int) -> tuple[list[Item], list[Item], list[bool]]:
    """Every gold question as it stands, and again with its section taken away; and whether it is found in five."""
    gold = sorted((r for r in read_rows(ctx.inputs["pairs"]) if r.meta["split"] == "gold"), key=lambda r: r.id)
    gold = gold[:limit] if limit else gold
    whole, without, found = [], [], []
    for row in gold:
        question, place = row.meta["question"], (row.path, row.title)
        hits = index.search(question, max(5, passages))
        found.append(any((h.chunk.path, h.chunk.title) == place for h in hits[:5]))
        shown = tuple(hits[:passages])
        enough = sufficient(index, question, shown)
        whole.append(Item(row.id, question, row.meta["answer"], place, shown, True, enough))
        same = frozenset(h.chunk.row_id for h in index.search(question, 20) if (h.chunk.path, h.chunk.title) == place)
        rest = tuple(index.search(question, passages, without=same | {row.meta["section"]}))
        without.append(Item(row.id, question, "", place, rest, False, sufficient(index, question, rest)))
    return whole, without, found


def run(ctx: Context) -> None:
    """Inputs: `pairs`, `index`, `model` (tuned), `base` (untuned), `thresholds`. Asks both models every question."""
    p: Params = ctx.params
    index = open_index(ctx.inputs["index"])
    whole, without, held = gold_items(ctx, index, p.passages, p.gold)
    found = share(held, p.confidence)
    index.close()
    items = [*whole, *without]
    texts: dict[str, list[str]] = {}
    for number, name in enumerate(("model", "base")):
        engine = open_engine(p.engine, ctx.inputs[name], pick="large" if name == "base" else p.pick, threads=p.threads)
        requests = [
            Request(
                build_messages(i.question, i.hits, p.instructions or DEFAULT_PROMPT), Sampling(max_tokens=p.max_tokens)
            )
            for i in items
        ]
        answers = answer_all(
            engine,
            requests,
            progress=ctx.part(number, 2, f"asking the {name}"),
        )
        engine.close()
        texts[name] = [a.text.strip() for a in answers]
    new = [_score(i, t) for i, t in zip(items, texts["model"], strict=True)]
    old = [_score(i, t) for i, t in zip(items, texts["base"], strict=True)]
    ctx.measure(
        _of(
            "retrieval_recall_at_5",
            found,
            note="the question is the section's own heading; the right section is among five chunks",
        )
    )
    kept = {"retrieval_recall_at_5": items_of([i.id for i in whole], held)}
    kept |= _measure(ctx, whole, new[: len(whole)], old[: len(whole)], p.confidence)
    kept |= _measure_abstention(ctx, without, new, old, p.confidence)
    kept |= _measure_support(ctx, items, texts, p.confidence)
    keep(ctx.out, kept)
    ctx.write_json(
        "answers.json",
        [
            {
                "id": i.id, "question": i.question, "answerable": i.answerable, "right_section_shown": i.right,
                "reference": i.reference,
                "model": a, "base": b, "model_scores": s, "base_scores": o,
            }
            for i, a, b, s, o in zip(items, texts["model"], texts["base"], new, old, strict=True)
        ],
    )  # fmt: skip
    f1 = next(m for m in ctx.measurements if m.name == "answer_f1")
    ctx.summary = (
        f"{len(whole)} questions: answer F1 {f1.value:.2f}, base {f1.base:.2f}; right section in five {found.value:.0%}"
    )


def _score(item: Item, text: str) -> dict[str, float]:
    return {
        "f1": word_f1(text, item.reference) if item.answerable else 0.0,
        "cites_right": float(cites(text, item.hits, {item.place})),
        "abstains": float(says_unknown(text)),
    }


def _of(
    name: str, e: Estimate, note: str = "", promise: Any = "fit", better: Any = "higher", unit: str = "share"
) -> Measurement:
    return Measurement(name, promise, e.value, unit, e.n, better, e.low, e.high, note=note)


def _compared(
    name: str,
    new: list[float],
    old: list[float],
    confidence: float,
    note: str,
    better: Any = "higher",
    unit: str = "share",
) -> Measurement:
    """A measurement of the tuned model with its paired difference to the base."""
    e = mean_of(new, confidence)
    d = paired_difference(new, old, confidence)
    base = sum(old) / len(old) if old else 0.0
    return Measurement(
        name, "fit", e.value, unit, e.n, better, e.low, e.high,
        base=base, difference=d.value, difference_low=d.low, difference_high=d.high, note=note,
    )  # fmt: skip


def _measure(
    ctx: Context, items: list[Item], new: list[dict[str, float]], old: list[dict[str, float]], confidence: float
) -> dict[str, list[Scored]]:
    every, shown = [True] * len(items), [i.right for i in items]
    kept = {}
    for name, score, only, note, better in (
        ("answer_f1", "f1", every, "words of the model's answer against the section's opening sentences", "higher"),
        (
            "cites_right_section", "cites_right", shown, "of questions whose right section was shown to the model",
            "higher",
        ),
        (
            "false_abstentions", "abstains", shown,
            "says that the documents do not say, although the right section was shown", "lower",
        ),
    ):  # fmt: skip
        a, b = ([s[score] for s, use in zip(scores, only, strict=True) if use] for scores in (new, old))
        f1 = score == "f1"
        ctx.measure(_compared(name, a, b, confidence, note, better, "F1" if f1 else "share"))
        kept[name] = items_of([i.id for i, use in zip(items, only, strict=True) if use], a)
    return kept


def _measure_abstention(
    ctx: Context, without: list[Item], new: list[dict[str, float]], old: list[dict[str, float]], confidence: float
) -> dict[str, list[Scored]]:
    first = len(new) - len(without)
    a, b = ([s["abstains"] for s in scores[first:]] for scores in (new, old))
    name = "abstains_when_unanswerable"
    ctx.measure(_compared(name, a, b, confidence, "with the right section taken out of the index"))
    return {name: items_of([i.id for i in without], a)}


def _measure_support(
    ctx: Context, items: list[Item], texts: dict[str, list[str]], confidence: float
) -> dict[str, list[Scored]]:
    """Share of the generated sentences that pass the hard checks, before and after those that don't are dropped."""

    def supported(name: str) -> Estimate:
        results, answers = [], []
        for number, (item, text) in enumerate(zip(items, texts[name], strict=True)):
            if says_unknown(text):
                continue
            for start, end in sentences(text):
                if strip_citations(text[start:end]):
                    results.append(check_sentence(text[start:end], item.hits).supported)
                    answers.append(number)
        return share(results, confidence, answers)

    # What a model says decides which sentences and answers there are, so these can't be paired with another's.
    e, base = supported("model"), supported("base")
    ctx.measure(
        Measurement(
            "sentences_supported", "fit", e.value, "share", e.n, "higher", e.low, e.high, base=base.value,
            note=f"generated sentences that pass the checks on numbers, names, negation and words; base n {base.n}",
        )
    )  # fmt: skip
    shown = [
        ground(i.question, t, i.hits) if i.sufficient else abstain(i.question, i.hits)
        for i, t in zip(items, texts["model"], strict=True)
    ]
    answered = [(g, i) for g, i in zip(shown, items, strict=True) if g.kind != "abstained"]
    ctx.measure(
        _of(
            "answers_supported", share([still_supported(g, i.hits) for g, i in answered], confidence),
            "answers as they are shown, read and checked again against the very passages they cite",
        )
    )  # fmt: skip
    scores = [(i.id, word_f1(g.text, i.reference)) for g, i in zip(shown, items, strict=True) if i.answerable]
    kept = {"shown_answer_f1": [Scored(*s) for s in scores]}
    f1 = mean_of([s for _, s in scores], confidence)
    ctx.measure(_of("shown_answer_f1", f1, "the answer as it is shown, after the checks", unit="F1"))
    for name, answerable, note in (
        ("shown_false_abstentions", True, "answerable questions to which the reply says that the documents do not say"),
        (
            "shown_abstentions_when_unanswerable",
            False,
            "with the right section taken out; the other passages may answer",
        ),
    ):
        asked = [(i.id, g.kind == "abstained") for g, i in zip(shown, items, strict=True) if i.answerable == answerable]
        kept[name] = [Scored(i, float(gone)) for i, gone in asked]
        ctx.measure(
            _of(name, share([g for _, g in asked], confidence), note, better="lower" if answerable else "higher")
        )
    return kept


def still_supported(shown: Grounded, hits: Sequence[Hit]) -> bool:
    """Whether every sentence of a shown text names a source whose passage supports it.

    Judged from the text and its sources alone, not from what the grounding said of itself.
    """
    # A long block may be indexed in several chunks that have one place in the original: a citation names them all.
    passages = {
        c.number: [
            h.chunk for h in hits if h.chunk.row_id == c.row_id and h.chunk.start <= c.start and c.end <= h.chunk.end
        ]
        for c in shown.citations
    }
    parts = split_answer(shown.text)
    for part in parts:
        numbers = [int(n) for n in CITE.findall(part)]
        plain = strip_citations(part)
        cited = [chunk for n in numbers for chunk in passages.get(n, [])]
        if not cited or not any(_says(f"{c.title}\n{c.text}", plain) for c in cited):
            return False
    return bool(parts)


def _says(passage: str, sentence: str) -> bool:
    """Whether a passage holds a sentence word for word, or passes every check on it."""
    return " ".join(sentence.split()) in " ".join(passage.split()) or all(check_against(sentence, passage)[0].values())
