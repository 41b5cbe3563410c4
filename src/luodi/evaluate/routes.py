"""The route stage: both exported models answer the gold questions; a router is learned from what they were worth."""

from __future__ import annotations

import time
from typing import Any

from luodi.engine import Request, Sampling, answer_all, open_engine
from luodi.evaluate.answers import Item, gold_items
from luodi.evaluate.answers import Params as AnswerParams
from luodi.evaluate.routing import FILE, Scored, features, learn, oracle
from luodi.evaluate.scoring import word_f1
from luodi.knowledge import DEFAULT_PROMPT, build_messages, ground, language_of
from luodi.knowledge.vectors import open_index
from luodi.pipeline import Context, Measurement


class Params(AnswerParams):
    margin: float
    machine_usd_hour: float


def run(ctx: Context) -> None:
    """Inputs: `pairs`, `index`, `model`, `thresholds`."""
    p: Params = ctx.params
    index = open_index(ctx.inputs["index"])
    whole, without, _ = gold_items(ctx, index, p.passages, p.gold)
    index.close()
    items = [i for i in (*whole, *without) if i.sufficient]  # what the documents do not speak of reaches no model
    groups = [n for n, i in [*enumerate(whole), *enumerate(without)] if i.sufficient]
    asked = {pick: _ask(ctx, number, pick, items) for number, pick in enumerate(("small", "large"))}
    scored = [
        Scored(tuple(features(i.question, i.hits, language_of(i.question))), s[0], b[0], s[1], b[1])
        for i, s, b in zip(items, asked["small"], asked["large"], strict=True)
    ]
    router, curve = learn(scored, groups, p.margin, p.confidence)
    at = next(c for c in curve if c.threshold == router.threshold)
    alone = next(c for c in curve if c.share_small == 0)
    saved = 1 - at.usd / alone.usd if alone.usd else 0.0
    ctx.write_json(
        FILE,
        router.as_dict()
        | {
            "margin": p.margin, "n": len(scored), "curve": [c.as_dict() for c in curve],
            "at": at.as_dict(), "oracle": oracle(scored, p.confidence).as_dict() | {"threshold": None}, "saved": saved,
        },
    )  # fmt: skip
    ctx.write_json("scored.json", [
        {"question": i.question, "small": s.small, "large": s.large, "small_usd": s.small_usd, "large_usd": s.large_usd}
        for i, s in zip(items, scored, strict=True)
    ])  # fmt: skip
    ctx.measure(
        Measurement(
            "route_saving", "cost", saved, "share", len(scored), "higher",
            note="cost of an answer against the large model alone, on held-out gold questions",
        )
    )  # fmt: skip
    ctx.measure(
        Measurement(
            "route_quality_difference", "fit", at.difference, "F1", len(scored), "higher", at.low, at.high,
            note=f"routed less large alone, paired; at most {p.margin:g} may be lost",
        )
    )  # fmt: skip
    ctx.summary = (
        f"{at.share_small:.0%} of {len(scored)} questions to the small model: {saved:.0%} cheaper, "
        f"worth {at.difference:+.3f} ({at.low:+.3f} … {at.high:+.3f})"
    )


def _ask(ctx: Context, number: int, pick: str, items: list[Item]) -> list[tuple[float, float]]:
    """(worth, USD) of each answer as it is shown. An answer's share of the machine's time is that of its tokens."""
    p: Params = ctx.params
    engine = open_engine(p.engine, ctx.inputs["model"], pick=pick, threads=p.threads)
    prompt = p.instructions or DEFAULT_PROMPT
    requests = [Request(build_messages(i.question, i.hits, prompt), Sampling(max_tokens=p.max_tokens)) for i in items]
    began = time.monotonic()
    answers = answer_all(engine, requests, progress=ctx.part(number, 2, f"asking the {pick} model"))
    seconds = time.monotonic() - began
    engine.close()
    tokens = [a.prompt_tokens + a.completion_tokens for a in answers]
    usd = p.machine_usd_hour / 3600 * seconds / max(1, sum(tokens))
    return [(_worth(i, a), usd * t) for i, a, t in zip(items, answers, tokens, strict=True)]


def _worth(item: Item, answer: Any) -> float:
    shown = ground(item.question, answer.text.strip(), item.hits)
    if item.answerable:
        return word_f1(shown.text, item.reference)
    return float(shown.kind == "abstained")
