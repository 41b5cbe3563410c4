"""`luodi ask`"""

from __future__ import annotations

from pathlib import Path

import click

from luodi.cli.context import loaded_of, show_of, store_of


@click.command()
@click.argument("question")
@click.option("--release", "-r", help="NAME, NAME@VERSION or NAME@CHANNEL; by default the live release.")
@click.option("--why", is_flag=True, help="Show what was checked.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write the answer, labelled.")
@click.pass_context
def command(ctx: click.Context, question: str, release: str | None, why: bool, output: Path | None) -> None:
    """Ask one question and see the answer with its sources.

    Uses the server of the project if one is running, or else opens the release for this one question.

    \b
    Examples:
      luodi ask "How do I make a form field optional?" --why
      luodi ask "How do I make a form field optional?" -o answer.md
    """
    from luodi.cli.asking import Asker, show_answer

    show = show_of(ctx)
    loaded = loaded_of(ctx)
    asker = Asker(store_of(ctx, loaded), release or loaded.project.name)
    try:
        answered = asker.ask(question)
    finally:
        asker.close()
    if output is not None:
        from luodi.gateway.labels import with_label
        from luodi.store import write_bytes

        write_bytes(output, with_label(answered.text, answered.luodi["label"]["AIGC"]).encode("utf-8", "replace"))
    show_answer(answered, show, why=why)
