"""`luodi ask`"""

from __future__ import annotations

import click

from luodi.cli.context import loaded_of, show_of, store_of


@click.command()
@click.argument("question")
@click.option("--release", "-r", help="NAME, NAME@VERSION or NAME@CHANNEL; by default the live release.")
@click.option("--why", is_flag=True, help="Show what was checked.")
@click.pass_context
def command(ctx: click.Context, question: str, release: str | None, why: bool) -> None:
    """Ask one question and see the answer with its sources.

    Uses the server of the project if one is running, or else opens the release for this one question.

    \b
    Example:
      luodi ask "How do I make a form field optional?" --why
    """
    from luodi.cli.asking import Asker, show_answer

    show = show_of(ctx)
    loaded = loaded_of(ctx)
    asker = Asker(store_of(ctx, loaded), release or loaded.project.name)
    try:
        show_answer(asker.ask(question), show, why=why)
    finally:
        asker.close()
