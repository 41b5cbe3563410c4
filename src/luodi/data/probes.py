"""The probes stage: questions whose right passage is known, to see how sure an answer may be. None of the gold set."""

from __future__ import annotations

import random
from collections import Counter

from pydantic import BaseModel

from luodi.data.questions import opening, question_for
from luodi.knowledge.words import words
from luodi.pipeline import Context, Link, Row
from luodi.store import short_id


class Params(BaseModel):
    """`limit`: sections that are asked about."""

    limit: int = 800


def run(ctx: Context) -> None:
    """Inputs: `rows` (sections). Writes a row for each question, with the section it was made from."""
    rows = ctx.rows()
    named = Counter(_name(r) for r in rows)  # a heading that several sections have asks for none of them
    sections = [r for r in rows if not r.meta.get("gold") and named[_name(r)] == 1]
    random.Random(ctx.seed + 7).shuffle(sections)
    out: list[Row] = []
    for row in sections:
        if len(out) >= ctx.params.limit:
            break
        question = question_for(row, random.Random(short_id(row.id, str(ctx.seed), "probe")))
        answer = opening(row) if question else ""
        if answer:
            meta = {"question": question, "answer": answer, "section": row.id}
            out.append(row.child("probe", "probe", meta=meta))
    ctx.write_rows(out, [Link(r.id, (r.meta["section"],), "probes", "asked") for r in out])
    ctx.summary = f"{len(out)} questions of {len(sections):,} sections"


def _name(row: Row) -> str:
    return " ".join(words(row.title.rpartition(" › ")[2]))
