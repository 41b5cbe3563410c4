"""`luodi review`"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from luodi.cli.context import loaded_of, show_of, store_of

if TYPE_CHECKING:
    from luodi.gateway.admin import Reviews

_MOST = 1000


@click.group()
def command() -> None:
    """Answers that wait for a person: appeals, and those for which too little speaks.

    \b
    Examples:
      luodi review ls
      luodi review show rec_01a2
      luodi review decide rec_01a2 overturned --note "the page was changed in May"
      luodi review export reviews
    """


def _reviews(ctx: click.Context) -> Reviews:
    from luodi.gateway.admin import Reviews

    loaded = loaded_of(ctx)
    serve = loaded.project.serve
    return Reviews(store_of(ctx, loaded), keep_notes=serve.audit.content_days > 0, redis=serve.redis)


def _record(ctx: click.Context, prefix: str) -> str:
    from luodi.gateway.records import read_record

    return str(read_record(store_of(ctx), prefix)["id"])


@command.command()
@click.option("--decided", is_flag=True, help="Those that were decided, the newest first.")
@click.pass_context
def ls(ctx: click.Context, decided: bool) -> None:
    """Answers that wait, the oldest first."""
    from luodi.store.audit.browse import time_text

    show = show_of(ctx)
    found = _reviews(ctx).page("decided" if decided else "waiting", limit=_MOST)
    if not found and not show.as_json:
        show.line(show.say("nothing_here"))
        return
    rows = [[r["record"], time_text(r["time_ms"]), r["reason"], r["decision"], r["reviewer"]] for r in found]
    show.table(["record", "time", "reason", "decision", "reviewer"], rows, found)


@command.command()
@click.argument("record")
@click.pass_context
def show(ctx: click.Context, record: str) -> None:
    """Question and answer of one of them, and what was said. That it was read is written into the log."""
    out, reviews = show_of(ctx), _reviews(ctx)
    store = store_of(ctx)
    found = reviews.show(_record(ctx, record), actor=store.keys.owner())
    if out.as_json:
        out.line("", **found)
        return
    out.line(f"{found['record']} · {found['reason']} · {found['decision'] or out.say('review_waits')}")
    if found["content"] is None:
        out.line(out.say("content_gone"))
    else:
        for role, text in found["content"]["messages"]:
            out.line(f"{role}: {text}")
        out.line(f"assistant: {found['content']['answer']}")
    for key in ("appeal_note", "decision_note"):
        if found[key]:
            out.line(f"{out.say(key)}: {found[key]}")


@command.command()
@click.argument("record")
@click.argument("decision", type=click.Choice(["upheld", "overturned"]))
@click.option("--note", default="", help="Why; kept sealed like the content.")
@click.pass_context
def decide(ctx: click.Context, record: str, decision: str, note: str) -> None:
    """Uphold an answer, or overturn it: then it is not given again from the cache."""
    out, reviews = show_of(ctx), _reviews(ctx)
    full = _record(ctx, record)
    done = reviews.decide(full, decision, note, actor=store_of(ctx).keys.owner())
    out.line(out.say("review_decided", record=full, decision=decision), **done)


@command.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.pass_context
def export(ctx: click.Context, folder: Path) -> None:
    """Write what decided reviews teach into a folder: rows for guard.train and guard.category_data, and feedback.

    Name them in luodi.yaml, e.g. `train: [{source: "file:reviews", glob: guard.jsonl, basis: own}]` under `guard`.
    That content was read is written into the log.
    """
    from luodi.gateway.admin.taught import export_decided

    out, store = show_of(ctx), store_of(ctx)
    counts = export_decided(store, _reviews(ctx), folder, actor=store.keys.owner())
    out.line(out.say("review_exported", folder=folder, **counts), folder=str(folder), **counts)
