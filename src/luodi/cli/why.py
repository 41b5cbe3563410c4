"""`luodi why`"""

from __future__ import annotations

from typing import Any

import click

from luodi.cli.context import show_of, store_of
from luodi.cli.show import Show


@click.command()
@click.argument("record")
@click.option("--no-content", is_flag=True, help="Leave question and answer sealed; then no training rows are found.")
@click.pass_context
def command(ctx: click.Context, record: str, no_content: bool) -> None:
    """Say why an answer is what it is: model, sources, checks, rules, and the training rows nearest to it.

    That question and answer were read is written into the log.

    \b
    Examples:
      luodi why rec_01a2
      luodi why rec_01a2 --json
    """
    from luodi.gateway.records import read_record
    from luodi.gateway.why import explain

    show, store = show_of(ctx), store_of(ctx)
    full = str(read_record(store, record)["id"])
    told = explain(store, full, content=not no_content, actor=store.keys.owner())
    if show.as_json:
        show.line("", **told)
    else:
        _show(told, show)


def _show(told: dict[str, Any], show: Show) -> None:
    show.line(f"{told['record']} · {told['outcome']}")
    if told["reason"]:
        show.line(show.say("content_gone"))
    else:
        show.line(f"{show.say('asked')}: {told['question']}")
        show.line(f"{show.say('answered')}: {told['answer']}")
    if "route" not in told:
        show.line(show.say("body_gone"))
        return
    route, release = told["route"], told["release"]
    parts = [route.get("model"), route.get("upstream"), route.get("reason"), f"{route['cost_usd']:.9f} USD"]
    show.line(f"{show.say('route')}: {' · '.join(str(p) for p in parts if p)}")
    if told["origin"]:
        show.line(f"{show.say('cached')}: {told['origin']['how']} {told['origin']['record']}")
    show.line(f"{show.say('release')}: {release['name']} · {release['digest'][:12]}")
    for s in told["sources"]:
        show.line(
            f"[{s['number']}] {s['path']}:{s['line']} {(s['title'] or '').rpartition(' › ')[2]} {s['digest'] or ''}"
        )
    for c in told["checks"]["sentences"]:
        passed = ", ".join(name for name, ok in c["checks"].items() if ok)
        show.line(f"  {show.say('checked')}: {passed} · {c['coverage']:.0%}")
    for v in told["rules"]["verdicts"]:
        if not v["ran"] or v["action"] != "allow":
            state = v["action"] if v["ran"] else show.say("not_run")
            show.line(f"  guard/{v['check']}: {state}, {v['score']:.2f}")
    confidence = told["confidence"]
    figure = "–" if confidence["value"] is None else f"{confidence['value']:.2f}"
    show.line(f"{show.say('confidence')}: {figure} ({confidence['reason']})")
    if told["review"]:
        show.line(f"{show.say('review')}: {told['review']['decision'] or show.say('review_waits')}")
    training = told["training"]
    if training["rows"]:
        show.line(f"{show.say('training_rows')}:")
    for row in training["rows"] or []:
        show.line(f"  {row['score']:.2f}  {row['path']}:{row['line']}  {row['question'] or row['title']}")
    if training["reason"]:
        show.line(f"{show.say('training_rows')}: – ({training['reason']})")
