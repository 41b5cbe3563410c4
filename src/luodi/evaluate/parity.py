"""Engine parity: the served engine and the reference, asked the same. What was evaluated must be what is served."""

from __future__ import annotations

from pydantic import BaseModel

from luodi.engine import Request, Sampling, answer_all, open_engine
from luodi.evaluate.answers import gold_items
from luodi.evaluate.items import items_of, keep
from luodi.evaluate.scoring import word_f1
from luodi.evaluate.statistics import mean_of, share
from luodi.knowledge import DEFAULT_PROMPT, build_messages
from luodi.knowledge.vectors import open_index
from luodi.pipeline import Context, Measurement


class Params(BaseModel):
    instructions: str
    engine: str
    pick: str
    passages: int
    max_tokens: int
    prompts: int
    confidence: float
    threads: int


def run(ctx: Context) -> None:
    """Inputs: `pairs`, `index`, `model`, `thresholds`."""
    p: Params = ctx.params
    if not p.prompts:
        ctx.summary = "not measured (evaluate.parity: 0)"
        return
    index = open_index(ctx.inputs["index"])
    whole, _, _ = gold_items(ctx, index, p.passages, p.prompts)
    index.close()
    requests = [
        Request(build_messages(i.question, i.hits, p.instructions or DEFAULT_PROMPT), Sampling(max_tokens=p.max_tokens))
        for i in whole
    ]
    texts = []
    for number, kind in enumerate((p.engine, "transformers")):
        engine = open_engine(kind, ctx.inputs["model"], pick=p.pick, threads=p.threads)
        answers = answer_all(engine, requests, progress=ctx.part(number, 2, kind))
        engine.close()
        texts.append([a.text.strip() for a in answers])
    scores = [word_f1(a, b) if b else float(not a) for a, b in zip(*texts, strict=True)]
    same = share([a == b for a, b in zip(*texts, strict=True)], p.confidence)
    e = mean_of(scores, p.confidence)
    note = f"greedy answers of {p.engine} ({p.pick}) against transformers (bf16); {same.value:.0%} are identical"
    ctx.measure(Measurement("engine_parity", "fit", e.value, "F1", e.n, "higher", e.low, e.high, note=note))
    keep(ctx.out, {"engine_parity": items_of([i.id for i in whole], scores)})
    pairs = [{"question": i.question, p.engine: a, "transformers": b} for i, a, b in zip(whole, *texts, strict=True)]
    ctx.write_json("parity.json", pairs)
    ctx.summary = f"{p.engine} against transformers: word F1 {e.value:.2f}, {same.value:.0%} identical (n {e.n})"
