"""`luodi compliance`"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from luodi.cli.context import loaded_of, root_of, show_of, store_of

if TYPE_CHECKING:
    from luodi.project import Loaded
    from luodi.release.compliance import Assessment, Case

_FORMATS = ("html", "json", "pdf")


@click.group()
def command() -> None:
    """What a release can show for the clauses of laws and standards.

    \b
    Examples:
      luodi compliance ls
      luodi compliance report --pack eu-ai-act,gb45654 --format html,json
      luodi compliance draft annex-iv
    """


@command.command()
@click.pass_context
def ls(ctx: click.Context) -> None:
    """Packs of controls: those of Luodi, and those in the project's compliance folder."""
    from luodi.release.compliance import find_packs

    show = show_of(ctx)
    packs = find_packs(root_of(ctx))
    zh = show.language == "zh"
    rows = [[p.name, len(p.controls), p.title.zh if zh else p.title.en] for p in packs.values()]
    data = [{"pack": p.name, "controls": len(p.controls), "title": p.title.model_dump()} for p in packs.values()]
    show.table([show.say("pack"), show.say("controls"), show.say("about")], rows, data)


@command.command()
@click.argument("reference", required=False)
@click.option("--pack", "packs", default="", help="Packs, with commas between; by default those of the project file.")
@click.option(
    "--format", "formats", default="html,json", show_default=True, help="html, json, pdf; with commas between."
)
@click.option("--to", "target", type=click.Path(path_type=Path), help="Folder; by default reports in the store.")
@click.pass_context
def report(ctx: click.Context, reference: str | None, packs: str, formats: str, target: Path | None) -> None:
    """Say of every control whether the release conforms, does not, or shows nothing; with the evidence.

    The release is verified first, its log too. Nothing is called conforming that was not measured.
    """
    from luodi.release.compliance.report import listed, write

    show, loaded = show_of(ctx), loaded_of(ctx)
    wanted = _formats(formats)
    case, about, assessed = _assess(ctx, loaded, reference, packs)
    folder = target or case.store.folder("reports")  # type: ignore[union-attr]
    made = []
    for kind in wanted:
        path = folder / f"{about['release']}-compliance.{kind}"
        write(assessed, about, path, kind, show.language)  # type: ignore[arg-type]
        made.append(path)
    zh = show.language == "zh"
    statuses = ("conforms", "in_part", "does_not", "no_evidence", "not_applicable")
    rows = [
        [a.pack.title.zh if zh else a.pack.title.en, *(a.counts[s] for s in statuses), f"{a.automatic_share:.0%}"]
        for a in assessed
    ]
    columns = [show.say("pack"), *(show.say(s) for s in statuses), show.say("automatic")]
    show.table(columns, rows, [a.as_dict() for a in assessed])
    for path in made:
        show.line(show.say("report", path=path), file=str(path), evidence=len(listed(assessed)))


@command.command()
@click.argument("name")
@click.argument("reference", required=False)
@click.option(
    "--to", "target", type=click.Path(path_type=Path), help="File; by default in the project's compliance folder."
)
@click.pass_context
def draft(ctx: click.Context, name: str, reference: str | None, target: Path | None) -> None:
    """Draft a document: what was measured is filled in, what people have to say is marked.

    NAME is instructions, annex-iv, dpia or labels.

    Fill in what is marked in the project's compliance folder; the next report reads it there.
    """
    from luodi.errors import ProjectError
    from luodi.release.compliance.drafts import DRAFTS
    from luodi.release.compliance.packs import FOLDER

    show, loaded = show_of(ctx), loaded_of(ctx)
    if name not in DRAFTS:
        raise ProjectError(f"there is no draft {name!r}", f"there are {', '.join(DRAFTS)}")
    passport = _case(ctx, loaded, reference)[0].passport
    text, filled, places = DRAFTS[name](passport)
    path = target or root_of(ctx) / FOLDER / f"{name}.md"
    if path.exists():
        raise ProjectError(f"{path} is there already", "give another file with --to")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    show.line(
        show.say("drafted", path=path, filled=filled, places=places), file=str(path), filled=filled, places=places
    )


def _formats(text: str) -> list[str]:
    from luodi.errors import ProjectError

    wanted = [each.strip() for each in text.split(",") if each.strip()]
    if unknown := [each for each in wanted if each not in _FORMATS]:
        raise ProjectError(f"there is no format {unknown[0]!r}", f"there are {', '.join(_FORMATS)}")
    return wanted


def _case(ctx: click.Context, loaded: Loaded, reference: str | None) -> tuple[Case, dict[str, Any]]:
    from luodi.release import Registry, verify
    from luodi.release.compliance import Case
    from luodi.release.compliance.drafts import draft_all

    store = store_of(ctx, loaded)
    found = verify(Registry(store).find(reference or loaded.project.name), store, allow_failing=True)
    drafts = draft_all(found.passport, root_of(ctx))
    about = {
        "release": str(found.release),
        "digest": found.release.digest,
        "created": found.passport["created"],
        "signer": found.signer,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    return Case(found.passport, found.folder, found.signer, found.parts, store, root_of(ctx), drafts), about


def _assess(
    ctx: click.Context, loaded: Loaded, reference: str | None, packs: str
) -> tuple[Case, dict[str, Any], list[Assessment]]:
    from luodi.errors import ProjectError
    from luodi.release.compliance import assess
    from luodi.release.compliance.packs import chosen

    declared = loaded.project.compliance
    names = [each.strip() for each in packs.split(",") if each.strip()] or declared.packs
    if not names:
        raise ProjectError("no pack is named", "give --pack, or list packs under compliance: in luodi.yaml")
    wanted = chosen(names, root_of(ctx))
    known = {control.id for pack in wanted for control in pack.controls}
    case, about = _case(ctx, loaded, reference)
    reasons = {key: reason for key, reason in declared.not_applicable.items() if key in known}
    return case, about, [assess(pack, case, reasons) for pack in wanted]


@command.group()
def bank() -> None:
    """The banks of questions that GB/T 45654 asks for: test, refuse, answer.

    They are CSV files in the project's compliance/banks folder, with the columns text, category and date.
    """


_NAMES = click.Choice(["test", "refuse", "answer"])


@bank.command(name="ls")
@click.pass_context
def bank_ls(ctx: click.Context) -> int:
    """Count each bank, distinct after normalising, against what it must hold. Exit code 1 if one falls short."""
    from luodi.release.compliance.banks import BANKS, count

    show, root = show_of(ctx), root_of(ctx)
    found = {name: count(root, name) for name in BANKS}
    rows, data = [], []
    for name, c in found.items():
        state = show.say("pass" if c.met else "block")
        rows.append([name, f"{c.total:,} / {c.needs:,}", len(c.short), c.newest or "–", state])
        data.append(
            {"bank": name, "total": c.total, "needs": c.needs, "short": c.short, "newest": c.newest, "met": c.met}
        )
    show.table([show.say("bank"), show.say("texts"), show.say("categories_short"), show.say("newest"), ""], rows, data)
    for name, c in found.items():
        if c.short and not show.as_json:
            short = ", ".join(f"{key} {has}/{needs}" for key, (has, needs) in c.short.items())
            show.line(f"{name}: {short}")
    return 0 if all(c.met for c in found.values()) else 1


@bank.command(name="add")
@click.argument("name", type=_NAMES)
@click.argument("file", type=click.Path(path_type=Path))
@click.pass_context
def bank_add(ctx: click.Context, name: str, file: Path) -> None:
    """Import a CSV or JSON-lines file; texts that are there already, in whatever form, are left out."""
    from luodi.release.compliance.banks import add

    show = show_of(ctx)
    new, repeats = add(root_of(ctx), name, file)  # type: ignore[arg-type]
    show.line(show.say("bank_added", bank=name, new=new, repeats=repeats), bank=name, new=new, repeats=repeats)


@bank.command(name="draw")
@click.argument("name", type=_NAMES)
@click.option("--n", "number", type=click.IntRange(1), default=1000, show_default=True, help="How many texts.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed draws the same texts.")
@click.option(
    "--to", "target", type=click.Path(path_type=Path), required=True, help="CSV file with a column for verdicts."
)
@click.pass_context
def bank_draw(ctx: click.Context, name: str, number: int, seed: int, target: Path) -> None:
    """Draw a sample for people to judge. Save it as compliance/verdicts/generated.csv, and reports count it."""
    from luodi.errors import ProjectError
    from luodi.release.compliance.banks import draw, write_entries

    show = show_of(ctx)
    if target.exists():
        raise ProjectError(f"{target} is there already", "name a file that does not exist yet")
    write_entries(target, draw(root_of(ctx), name, number, seed), verdict=True)  # type: ignore[arg-type]
    show.line(show.say("bank_drawn", path=target, n=number, seed=seed), file=str(target), n=number, seed=seed)
