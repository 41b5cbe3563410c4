"""The cards stage: what the model and the data are, from what the stages recorded; and whether anything is missing."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

from pydantic import BaseModel

from luodi.engine.folder import read_about
from luodi.pipeline import Context, Measurement, read_measurements, read_rows

_UNKNOWN = re.compile(r"(?:^|[(\s,])unknown(?:$|[),])")  # as a whole licence or legal basis
MODEL_CARD, DATA_CARD = "model-card.md", "data-card.md"


class Params(BaseModel):
    """What the project says of itself."""

    name: str
    languages: list[str]
    base: str
    train: dict[str, Any]
    picks: dict[str, str]
    sources: list[dict[str, str]]
    personal_data: str


def run(ctx: Context) -> None:
    """Inputs: `rows`, `pairs`, `model`, `train`, and every stage whose measurements the cards quote."""
    p: Params = ctx.params
    about = read_about(ctx.inputs["model"])
    fields = {
        "model": _model_fields(p, about, ctx),
        "data": _data_fields(p, ctx),
    }
    (ctx.out / MODEL_CARD).write_text(_write(f"Model card: {p.name}", fields["model"]), "utf-8")
    (ctx.out / DATA_CARD).write_text(_write(f"Data card: {p.name}", fields["data"]), "utf-8")
    ctx.write_json("cards.json", fields)
    every = [(card, name, text) for card, named in fields.items() for name, text in named.items()]
    missing = [f"{card}: {name}" for card, name, text in every if not text or _UNKNOWN.search(text)]
    done = len(every) - len(missing)
    note = "; ".join(missing) or "every field of the model card and the data card is filled"
    ctx.measure(
        Measurement("cards_complete", "compliance", done / len(every), "share", len(every), "higher", note=note)
    )
    ctx.summary = f"{done} of {len(every)} fields filled" + (f"; missing: {note}" if missing else "")


def _model_fields(p: Params, about: dict[str, Any], ctx: Context) -> dict[str, str]:
    measured = {m.name: m for name in ctx.inputs for m in read_measurements(ctx.inputs[name])}

    def figure(name: str) -> str:
        m = measured.get(name)
        if m is None:
            return ""
        interval = f" [{m.low:.3g}, {m.high:.3g}]" if m.low is not None and m.high is not None else ""
        base = f"; untuned base {m.base:.3g}" if m.base is not None else ""
        return f"{m.value:.3g}{interval} {m.unit} (n {m.n}){base}"

    method = p.train.get("method")
    trained = (
        "not tuned"
        if method == "none"
        else f"{method}, rank {p.train.get('rank')}, {figure('training_loss_last_10_steps')}"
    )
    return {
        "Base model": f"{about['name']} ({p.base})",
        "Licence of the base model": about["licence"],
        "Tuning": trained,
        "Weights": ", ".join(f"{pick}: {quantisation}" for pick, quantisation in p.picks.items()),
        "Context": f"{about['context']} tokens",
        "Languages": ", ".join(p.languages),
        "Intended use": "answering questions from the documents of this release, with sources",
        "Not intended for": "questions outside those documents, and decisions about people without a person's review",
        "Answers on the gold set": figure("answer_f1"),
        "Cites the right section": figure("cites_right_section"),
        "Abstains when it should": figure("abstains_when_unanswerable"),
        "Attacks blocked": figure("attacks_blocked"),
        "Known limits": "answers are taken from the passages found; what retrieval misses, the model can't say",
    }


def _data_fields(p: Params, ctx: Context) -> dict[str, str]:
    rows = read_rows(ctx.inputs["rows"])
    pairs = Counter(r.meta["split"] for r in read_rows(ctx.inputs["pairs"]))
    by_source = Counter(r.source for r in rows)
    dropped = json.loads((ctx.inputs["clean"] / "dropped.json").read_bytes())
    lines = [f"{s['source']} ({s['licence']}, {s['basis']}): {by_source[s['source']]} sections" for s in p.sources]
    return {
        "Sources, licences, legal basis": "; ".join(lines),
        "Sections": f"{len(rows)}",
        "Left out when cleaning": "; ".join(f"{n} {reason}" for reason, n in dropped.items()) or "nothing",
        "Personal data": p.personal_data,
        "Training examples": f"{pairs['train']}, made from headings and the text below them",
        "Gold set": f"{pairs['gold']} questions, held out",
        "Lineage": "every row has an id made from its source and place; `luodi lineage ID` follows it",
    }


def _write(title: str, fields: dict[str, str]) -> str:
    return f"# {title}\n\n" + "".join(f"**{name}**: {text or 'not known'}\n\n" for name, text in fields.items())
