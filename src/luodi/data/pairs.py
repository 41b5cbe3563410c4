"""The pairs stage: question → section examples from headings, the gold set, and proof that they don't overlap."""

from __future__ import annotations

import random
import re
from collections import Counter

from pydantic import BaseModel

from luodi.data.questions import is_question, opening, question_for
from luodi.knowledge import ABSTAIN, DEFAULT_PROMPT, Hit, Index, build_messages
from luodi.knowledge.answer import question_coverage
from luodi.knowledge.vectors import open_index
from luodi.knowledge.words import words
from luodi.pipeline import Context, Link, Measurement, Row
from luodi.store import short_id

_GRAM = 8  # words; a run of this length in both sets counts as contamination


class Params(BaseModel):
    instructions: str
    passages: int = 3
    limit: int = 1200
    unanswerable: float = 0.2
    use_pairs: bool = True


def grams(text: str, n: int = _GRAM) -> set[str]:
    tokens = words(text)
    return {" ".join(tokens[i : i + n]) for i in range(len(tokens) - n + 1)}


def run(ctx: Context) -> None:
    """Inputs: `rows` (sections), `index`. Writes pair rows with `meta.split` train or gold."""
    params: Params = ctx.params
    rows = ctx.rows()
    index = open_index(ctx.inputs["index"])
    gold = _gold_set(rows)
    gold_ids = frozenset(row.id for row in rows if row.meta.get("gold"))
    links = [Link(g.id, (g.meta["section"],), "gold", "held out") for g in gold]
    protected = set().union(*(grams(g.meta["question"] + " " + g.meta["answer"]) for g in gold)) if gold else set()
    questions = {" ".join(words(g.meta["question"])) for g in gold}
    train: list[Row] = []
    reasons: Counter[str] = Counter()
    candidates = [r for r in rows if r.id not in gold_ids] if params.use_pairs else []
    random.Random(ctx.seed).shuffle(candidates)
    for done, row in enumerate(candidates, 1):
        if len(train) >= params.limit:
            break
        made, reason = _example(row, index, gold_ids, params, ctx.seed)
        if made is not None and (
            grams(made.meta["question"] + " " + made.meta["answer"]) & protected
            or " ".join(words(made.meta["question"])) in questions
        ):
            made, reason = None, "overlaps the gold set"
        if made is None:
            reasons[reason] += 1
            links.append(Link("", (row.id,), "pairs", reason))
        else:
            train.append(made)
            links.append(
                Link(
                    made.id,
                    (row.id, *made.meta["passages"]),
                    "pairs",
                    "answerable" if made.meta["answerable"] else "unanswerable",
                )
            )
        if done % 50 == 0:
            ctx.progress(len(train), params.limit)
    index.close()
    ctx.write_rows([*train, *gold], links)
    overlap = _contaminated(train, gold)
    ctx.measure(
        Measurement(
            "contamination",
            "data",
            float(overlap),
            "gold items",
            len(gold),
            "lower",
            0.0 if not overlap else None,
            note=f"gold items that share {_GRAM} words in a row with a training example;"
            f" {reasons['overlaps the gold set']} examples were left out for it",
        )
    )
    unanswerable = sum(not r.meta["answerable"] for r in train)
    ctx.measure(
        Measurement(
            "training_examples",
            "data",
            float(len(train)),
            "examples",
            len(train),
            "higher",
            note=f"{unanswerable} unanswerable",
        )
    )
    ctx.summary = (
        f"{len(train):,} examples ({unanswerable} unanswerable), {len(gold)} gold questions held out, {overlap} overlap"
    )


def _gold_set(rows: list[Row]) -> list[Row]:
    """One item a question: where several sources ask the same, the one that the project names first is asked."""
    found: dict[str, Row] = {}
    for row in rows:
        if row.meta.get("gold") and is_question(row):
            item = _gold(row)
            found.setdefault(" ".join(words(item.meta["question"])), item)
    return list(found.values())


def _gold(row: Row) -> Row:
    meta = {
        "question": row.title.rpartition(" › ")[2],
        "answer": opening(row),
        "split": "gold",
        "section": row.id,
        "answerable": True,
    }
    return row.child("pair", "gold", meta=meta)


def _example(row: Row, index: Index, gold_ids: frozenset[str], params: Params, seed: int) -> tuple[Row | None, str]:
    """A training example from one section, or the reason why not."""
    rng = random.Random(short_id(row.id, str(seed)))
    question = question_for(row, rng)
    if not question:
        return None, "its heading is no question"
    answer = opening(row)
    if not answer:
        return None, "it does not open with a sentence"
    answerable = rng.random() >= params.unanswerable
    hits = index.search(question, params.passages * 3, without=gold_ids if answerable else gold_ids | {row.id})
    if answerable:
        own = [h for h in hits if h.chunk.row_id == row.id and answer[:40] in " ".join(h.chunk.text.split())]
        if not own:
            return None, "its own section is not found by its question"
        # Mostly in the order of retrieval, as when serving; sometimes not, so that the place alone gives nothing away.
        order = hits.index(own[0]) if rng.random() < 0.7 else rng.randrange(params.passages)
        hits = [h for h in hits if h.chunk.row_id != row.id][: params.passages - 1]
        hits.insert(min(order, len(hits)), own[0])
        place = hits.index(own[0]) + 1
        text = f"{answer} [{place}]"
    else:
        hits = [h for h in hits if question_coverage(question, h) < 0.6][: params.passages]
        text = ABSTAIN["en"]
    if len(hits) < params.passages:
        return None, "too few passages"
    messages = [
        {"role": m.role, "content": m.content}
        for m in build_messages(question, hits, params.instructions or DEFAULT_PROMPT)
    ]
    meta = {
        "question": question,
        "messages": messages,
        "answer": text,
        "split": "train",
        "answerable": answerable,
        "section": row.id,
        "passages": _ids(hits),
    }
    return row.child("pair", f"train:{int(answerable)}", text=text, meta=meta), ""


def _ids(hits: list[Hit]) -> list[str]:
    return list(dict.fromkeys(h.chunk.row_id for h in hits))


def _contaminated(train: list[Row], gold: list[Row]) -> int:
    """Gold items that share a run of words with any training question or answer; counted again, from scratch."""
    seen: set[str] = set()
    for row in train:
        seen |= grams(row.meta["question"]) | grams(re.sub(r"\[\d+\]", "", row.meta["answer"]))
    return sum(bool((grams(g.meta["question"]) | grams(g.meta["answer"])) & seen) for g in gold)
