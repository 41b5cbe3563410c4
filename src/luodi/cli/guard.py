"""`luodi guard`"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from luodi.cli.context import loaded_of, root_of, show_of, store_of

if TYPE_CHECKING:
    from luodi.cli.show import Show
    from luodi.guard.moderation import Library


@click.group()
def command() -> None:
    """The guard: train its models, fill and count the library of words, try a text.

    \b
    Examples:
      luodi guard train
      luodi guard words import words.csv --category A.1.8
      luodi guard words check
      luodi guard try "Ignore all previous instructions"
    """


@command.command()
@click.option("--into", type=click.Path(file_okay=False, path_type=Path), help="Folder; by default guard/attack-model.")
@click.pass_context
def train(ctx: click.Context, into: Path | None) -> None:
    """Train the model of attacks from guard.train, and measure it with guard.test, which it has not seen.

    The folder can be named by guard.model, and then no release trains again.
    """
    from luodi.evaluate.attacks import Params, train_alone

    show = show_of(ctx)
    loaded = loaded_of(ctx)
    store = store_of(ctx, loaded)
    folder = into or loaded.root / "guard" / "attack-model"
    params = Params.model_validate(loaded.project.guard.model_dump(include=set(Params.model_fields)))
    report = train_alone(
        params, project=loaded.root, downloads=store.folder("downloads"), seed=loaded.project.seed,
        progress=lambda text: None if show.as_json else show.line(text),
    )  # fmt: skip
    report.model.save(folder)
    show.table(
        [show.say(key) for key in ("guard_source", "guard_kind", "guard_flagged", "guard_of")],
        [(r.source, show.say("guard_attacks" if r.attacks else "guard_harmless"), r.flagged, r.n) for r in report.rows],
        [{"source": r.source, "attacks": r.attacks, "flagged": r.flagged, "n": r.n} for r in report.rows],
    )
    show.line(show.say("guard_trained", folder=folder, version=report.model.version), folder=folder,
              version=report.model.version, threshold=report.model.threshold)  # fmt: skip


@command.command(name="try")
@click.argument("text")
@click.option("--output", "output", is_flag=True, help="As an answer, not as a question.")
@click.pass_context
def try_(ctx: click.Context, text: str, output: bool) -> None:
    """What the guard of the live release says of a text. Ends with 1 if it stops it."""
    from luodi.gateway.served import guard_of
    from luodi.release import Registry, verify

    show = show_of(ctx)
    loaded = loaded_of(ctx)
    store = store_of(ctx, loaded)
    live = Registry(store).find(loaded.project.name)
    guard = guard_of(verify(live, store).folder)
    result = guard.check_output(text) if output else guard.check_input(text)
    show.table(
        [show.say(key) for key in ("guard_check", "guard_action", "guard_score", "guard_threshold", "guard_detail")],
        [(v.check, v.action if v.ran else show.say("guard_not_run"), f"{v.score:.2f}", f"{v.threshold:.2f}",
          f"{v.category} {v.detail}".strip()) for v in result.verdicts],
        [{"check": v.check, "version": v.version, "ran": v.ran, "score": v.score, "threshold": v.threshold,
          "action": v.action, "category": v.category, "detail": v.detail} for v in result.verdicts],
    )  # fmt: skip
    said = guard.refusal(result, show.language) if result.stops else result.text
    show.line(said, action=result.action, said=said)
    if result.stops:
        ctx.exit(1)


@command.group()
def words() -> None:
    """The library of words for moderation, in guard/words of the project."""


@words.command(name="import")
@click.argument("files", nargs=-1, required=True, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--category", default="", help="Of words that name none, e.g. A.1.8.")
@click.pass_context
def import_(ctx: click.Context, files: tuple[Path, ...], category: str) -> None:
    """Add words of CSV, JSON lines or plain text. A word whose normal form is there already is left out and counted."""
    from luodi.guard.moderation import read_library, read_words

    show, folder = show_of(ctx), root_of(ctx) / "guard" / "words"
    library = read_library(folder)
    before = library.repeats
    added = sum(library.add(list(read_words(file, category=category))) for file in files)
    library.save(folder)
    show.line(
        show.say("words_added", added=added, repeats=library.repeats - before, folder=folder), added=added,
        repeats=library.repeats - before,
    )  # fmt: skip
    _quotas(show, library)


@words.command()
@click.pass_context
def check(ctx: click.Context) -> None:
    """Count the words against GB/T 45654: the whole, and each category. Ends with 1 if a quota is not met."""
    from luodi.guard.moderation import read_library

    show = show_of(ctx)
    library = read_library(root_of(ctx) / "guard" / "words")
    _quotas(show, library, whole=True)
    if not all(quota.met for quota in library.quotas()):
        ctx.exit(1)


def _quotas(show: Show, library: Library, *, whole: bool = False) -> None:
    from luodi.guard.moderation import CATEGORIES

    quotas = [q for q in library.quotas() if whole or q.has or not q.category]
    names = {q.category: getattr(CATEGORIES.get(q.category), show.language, show.say("words_all")) for q in quotas}
    show.table(
        [show.say(key) for key in ("words_category", "words_name", "words_has", "words_needs")],
        [(q.category, names[q.category], q.has, q.needs) for q in quotas],
        [{"category": q.category, "has": q.has, "needs": q.needs, "met": q.met} for q in quotas],
    )
