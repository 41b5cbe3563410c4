"""`luodi run`"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import click

from luodi.cli.context import loaded_of, show_of, store_of
from luodi.cli.show import Show

if TYPE_CHECKING:
    from luodi.pipeline import Runner


@click.command()
@click.option("--to", metavar="STAGE", help="Stop after this stage.")
@click.option("--dry-run", is_flag=True, help="Say what would run and why, and change nothing.")
@click.pass_context
def command(ctx: click.Context, to: str | None, dry_run: bool) -> int:
    """Build, measure and release. What was done before comes from the store; a killed run goes on where it was.

    \b
    Examples:
      luodi run
      luodi run --to train
      luodi run --dry-run
    """
    started = time.monotonic()
    from luodi.cli.bars import listener
    from luodi.pipeline import Runner
    from luodi.pipeline.executor import executor_for
    from luodi.road import stages

    show = show_of(ctx)
    loaded = loaded_of(ctx)
    store = store_of(ctx, loaded)
    runner = Runner(
        store,
        stages(loaded),
        project=loaded.root,
        seed=loaded.project.seed,
        executor=executor_for(loaded.project.runner),
    )
    if dry_run:
        _dry_run(runner, to, show, started)
        return 0
    with listener(show) as bars:
        runner.listener = bars
        done = runner.run(to)
    if "release" not in done:
        return 0
    folder = store.artifacts.get(done["release"].output).files
    passport = json.loads((folder / "passport.json").read_bytes())
    from luodi.cli.promises import show_promises

    show_promises(passport, show)
    name = f"{passport['name']}@{passport['version']}"
    path = store.root / "reports" / f"{name}.html"
    if passport["verdict"] == "pass":
        show.line(
            show.say("released", release=name, channel="candidate"), event="released", release=name, verdict="pass"
        )
    else:
        show.line(
            show.say("not_released", release=name, verdict=show.say(passport["verdict"])),
            event="not released",
            release=name,
            verdict=passport["verdict"],
        )
    show.line(show.say("report", path=path), event="report", path=str(path))
    return 0 if passport["verdict"] == "pass" else 1


def _dry_run(runner: Runner, to: str | None, show: Show, started: float) -> None:
    planned = runner.plan(to)
    for p in planned:
        show.line(show.say("will_run" if p.why else "in_store", stage=p.stage, why=p.why), stage=p.stage, why=p.why)
    if not any(p.why for p in planned):
        show.line(show.say("nothing_to_do", seconds=time.monotonic() - started), nothing_to_do=True)
