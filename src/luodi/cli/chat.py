"""`luodi chat`"""

from __future__ import annotations

import sys

import click

from luodi.cli.context import loaded_of, show_of, store_of
from luodi.cli.show import fail
from luodi.errors import LuodiError


@click.command()
@click.option("--release", "-r", help="NAME, NAME@VERSION or NAME@CHANNEL; by default the live release.")
@click.option("--why", is_flag=True, help="Show what was checked.")
@click.pass_context
def command(ctx: click.Context, release: str | None, why: bool) -> None:
    """Ask questions, one after another; each stands for itself.

    \b
    Example:
      luodi chat
    """
    from luodi.cli.asking import Asker, show_answer

    show = show_of(ctx)
    loaded = loaded_of(ctx)
    asker = Asker(store_of(ctx, loaded), release or loaded.project.name)
    if show.fancy:
        show.line(show.say("chat_hint"))
    try:
        while True:
            try:
                question = input("> " if sys.stdin.isatty() and not show.as_json else "")
            except EOFError:
                return
            if not question.strip():
                return
            try:
                show_answer(asker.ask(question), show, why=why)
            except LuodiError as error:  # one refused question does not end the conversation
                fail(error.message, error.hint, show)
    finally:
        asker.close()
