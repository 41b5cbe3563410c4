"""`luodi lineage`"""

from __future__ import annotations

import click

from luodi.cli.context import show_of, store_of
from luodi.cli.show import Show


@click.command()
@click.argument("what")
@click.pass_context
def command(ctx: click.Context, what: str) -> None:
    """Follow a row, or the sources of an answer, back to the files and on to the training examples.

    WHAT is a row's id, or record:ID as an answer names it.

    \b
    Examples:
      luodi lineage record:rec_7f3a
      luodi lineage 8c01d2
    """
    from luodi.pipeline import Lineage
    from luodi.pipeline.runner import LATEST

    show, store = show_of(ctx), store_of(ctx)
    import json

    path = store.root / "runs" / LATEST
    lineage = Lineage(store, json.loads(path.read_bytes()) if path.exists() else {})
    if what.startswith(("record:", "rec_")):
        from luodi.gateway.records import read_record

        record = read_record(store, what)
        show.line(f"{record['id']} · {record['release']} · {record['outcome']}", record=record)
        for source in record["sources"]:
            show.line(f"[{source['number']}] {source['source']} {source['path']}:{source['line']}", source=source)
            _follow(lineage, source["row_id"], show)
        return
    _follow(lineage, lineage.find(what), show)


def _follow(lineage: object, row_id: str, show: Show) -> None:
    from luodi.pipeline import Lineage

    assert isinstance(lineage, Lineage)
    for title, steps in (("came_from", lineage.back(row_id)), ("went_to", lineage.forward(row_id))):
        if not show.as_json:
            show.line(f"  {show.say(title)}:")
        for step in steps:
            link, row = step.link, step.row
            other = link.out_id or "dropped"
            place = f" {row.path}:{row.line}" if row else ""
            reason = f" ({link.reason})" if link.reason else ""
            show.line(
                f"    {step.stage:<12} {other[:12]}{place}{reason}",
                direction=title, stage=step.stage, out=link.out_id, ins=list(link.in_ids), op=link.op,
                reason=link.reason, score=link.score,
            )  # fmt: skip
