"""`luodi labels`"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from luodi.cli.context import show_of, store_of
from luodi.errors import LuodiError

if TYPE_CHECKING:
    from luodi.engine.watermark import Detection
    from luodi.store import Store

_SAID = {
    "ok": "label_ok",
    "unsigned": "label_unsigned",
    "unknown": "label_unknown",
    "body_gone": "label_body_gone",
    "forged": "label_forged",
    "other_release": "label_other_release",
}
_TEXTS = {"same": "label_text_same", "changed": "label_text_changed", "unknown": "label_text_unknown"}
_MARKS = {"found": "mark_found", "not_found": "mark_not_found", "too_short": "mark_too_short"}


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

    Says, too, whether the text is the one that was answered, as far as its content is kept, and whether it carries this
    store's watermark.

    \b
    Examples:
      luodi labels check reply.json
      luodi labels check -
    """
    from luodi.gateway.labels import LONGEST, Labels, read_labelled

    try:
        with click.open_file(file, encoding="utf-8", errors="replace") as opened:
            text = opened.read(LONGEST + 1)
    except OSError as error:
        raise LuodiError(f"{file} can't be read: {error.strerror}") from error
    show, store = show_of(ctx), store_of(ctx)
    label: dict[str, Any] = {}
    words: str | None = text
    try:
        label, words = read_labelled(text)
    except LuodiError:
        mark = _watermark(store, text, "")
        if mark is None or mark.verdict != "found":
            raise
        show.line(show.say("label_none"), ok=False, watermark=mark.as_dict())
        show.line(show.say("mark_found", z=mark.z, p=mark.p_value, places=mark.places)) if not show.as_json else None
        ctx.exit(1)
    said = Labels(store).check(label, words)
    mark = _watermark(store, words or "", said.release)
    if show.as_json:
        show.line("", **said.as_dict(), watermark=mark.as_dict() if mark else None)
    else:
        show.line(" · ".join(p for p in (show.say(_SAID[said.state]), said.record, said.release) if p))
        if said.release:
            show.line(show.say(_TEXTS[said.content]))
        if mark is not None:
            show.line(show.say(_MARKS[mark.verdict], z=mark.z, p=mark.p_value, places=mark.places))
    if not said.ok:
        ctx.exit(1)


def _watermark(store: Store, text: str, release: str) -> Detection | None:
    """What the text shows of the store's watermark; None where there is no release whose tokenizer could cut it."""
    from luodi.errors import EngineError, ReleaseError
    from luodi.gateway.labels import find_watermark

    try:
        return find_watermark(store, text, release)
    except (EngineError, ReleaseError):
        return None
