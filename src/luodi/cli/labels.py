"""`luodi labels`"""

from __future__ import annotations

import click

from luodi.cli.context import show_of, store_of
from luodi.errors import LuodiError

_SAID = {
    "ok": "label_ok",
    "unsigned": "label_unsigned",
    "unknown": "label_unknown",
    "body_gone": "label_body_gone",
    "forged": "label_forged",
    "other_release": "label_other_release",
}


@click.group()
def command() -> None:
    """Labels of generated content (GB 45438): check one against the log.

    \b
    Examples:
      luodi labels check reply.json
    """


@command.command("check")
@click.argument("file")
@click.pass_context
def check(ctx: click.Context, file: str) -> None:
    """Check the label in a reply's JSON or a text's front matter (- reads standard input). Ends with 1 if it is wrong.

    \b
    Examples:
      luodi labels check reply.json
      luodi labels check -
    """
    from luodi.gateway.labels import LONGEST, Labels, find_label

    try:
        with click.open_file(file, encoding="utf-8", errors="replace") as opened:
            text = opened.read(LONGEST + 1)
    except OSError as error:
        raise LuodiError(f"{file} can't be read: {error.strerror}") from error
    show = show_of(ctx)
    said = Labels(store_of(ctx)).check(find_label(text))
    if show.as_json:
        show.line("", **said.as_dict())
    else:
        show.line(" · ".join(p for p in (show.say(_SAID[said.state]), said.record, said.release) if p))
    if not said.ok:
        ctx.exit(1)
