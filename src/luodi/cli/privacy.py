"""`luodi privacy`"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from luodi.cli.context import loaded_of, show_of, store_of
from luodi.cli.show import Show, warn

if TYPE_CHECKING:
    from luodi.gateway.forget import Forgotten, Found, Person
    from luodi.project import Loaded
    from luodi.store import Store

_CERTIFICATE = click.Path(path_type=Path, dir_okay=False)

_KINDS = {
    "content": "privacy_content",
    "content_of_others": "privacy_content_of_others",
    "content_unopened": "privacy_content_unopened",
    "vault": "privacy_vault",
    "kept_answers": "privacy_kept_answers",
    "notes": "privacy_notes",
    "rows": "privacy_rows",
    "places": "privacy_places",
    "artifacts": "privacy_artifacts",
    "releases": "privacy_releases",
    "documents": "privacy_documents",
    "files": "privacy_files",
    "log_rows": "privacy_log_rows",
    "backups": "privacy_backups",
    "places_never_used_again": "privacy_places_never_used_again",
}


@click.group()
def command() -> None:
    """Find, hand out and erase what is kept of a person, and prove it.

    \b
    Examples:
      luodi privacy find --subject user:4711 --value "Zhang San" --value 13800138000
      luodi privacy export --subject user:4711 --value "Zhang San" --to answer-to-4711
      luodi privacy forget --subject user:4711 --value "Zhang San" --reason "request of 3 May"
      luodi privacy check privacy/certificates/fgt_6b1c0a2f9d3e4f5a6b7c8d9e.json
      luodi privacy forget --again privacy/certificates/fgt_6b1c0a2f9d3e4f5a6b7c8d9e.json
    """


_SUBJECT = click.option("--subject", default="", help="Whose calls: user:NAME, as callers name the user, or key:ID.")
_VALUES = click.option(
    "--value",
    "values",
    multiple=True,
    help="A name, number or address of the person, as texts have it; may be repeated. - reads them from a pipe.",
)


def _values(values: tuple[str, ...]) -> tuple[str, ...]:
    """Values that are given; of "-" the lines of a pipe, so that none of them stands in a shell's history."""
    import sys

    found: list[str] = []
    for value in values:
        found += sys.stdin.read().splitlines() if value == "-" else [value]
    return tuple(value.strip() for value in found if value.strip())


def _search(ctx: click.Context, subject: str, values: tuple[str, ...]) -> tuple[Store, Loaded, Person, Found]:
    from luodi.gateway.forget import Person, find

    values = _values(values)
    if not subject and not values:
        raise click.UsageError("name a person with --subject, --value, or both")
    if subject and not subject.startswith(("user:", "key:")):
        raise click.UsageError("--subject is user:NAME or key:ID; other names of the person are a --value")
    loaded = loaded_of(ctx)
    store = store_of(ctx, loaded)
    person = Person(store.keys, subject, values)
    return store, loaded, person, find(store, loaded, person, actor=store.keys.owner())


@command.command()
@_SUBJECT
@_VALUES
@click.pass_context
def find(ctx: click.Context, subject: str, values: tuple[str, ...]) -> None:
    """Show where a person is found, and nothing of what is said there.

    Values are found in whatever width, case and spacing; numbers also with dashes and spaces between the digits.
    """
    show = show_of(ctx)
    _, _, person, found = _search(ctx, subject, values)
    _told(show, person, found)


def _told(show: Show, person: Person, found: Found) -> None:
    from luodi.gateway.forget import masked

    counts = found.counts()
    if show.as_json:
        show.line(
            "", counts=counts, records=found.kept.records, records_of_others=found.kept.mentions,
            rows=sorted(found.rows.kept), places=[p.param() for p in found.rows.places.values()],
            artifacts=[{"digest": h.digest, "stage": h.stage, "rows": len(h.rows), "release": h.release,
                        "passages": h.passages, "files": h.files} for h in found.rows.held],
            documents=[{"source": d.source, "path": d.path, "count": d.count} for d in found.documents],
            files=[str(path) for path in found.files], backups=found.backups,
        )  # fmt: skip
        return
    whom = ", ".join([*([person.subject] if person.subject else []), *map(masked, person.values)])
    if not found.any:
        show.line(show.say("privacy_nothing", whom=whom))
        return
    details = {
        "content": _some(found.kept.records),
        "content_of_others": _some(found.kept.mentions),
        "rows": _some(sorted(found.rows.kept)),
        "places": _some(sorted({f"{p.path}:{p.start}-{p.end}" for p in found.rows.places.values()})),
        "artifacts": _some([f"{h.digest[:12]} {h.stage}" for h in found.intermediate]),
        "releases": _some([h.release for h in found.releases]),
        "documents": _some([f"{d.path} ({d.count})" if d.count >= 0 else f"{d.path} (?)" for d in found.documents]),
        "files": _some([path.name for path in found.files]),
        "backups": _some([f"{Path(b['file']).name} {_day(b['time_ms'])}" for b in found.backups]),
    }
    rows = [[show.say(_KINDS[name]), count, details.get(name, "")] for name, count in counts.items() if count]
    show.table([show.say("privacy_where"), show.say("privacy_count"), ""], rows, [], whom)


def _some(names: list[str]) -> str:
    return ", ".join(names[:4]) + (f", +{len(names) - 4}" if len(names) > 4 else "")


def _day(time_ms: int) -> str:
    return time.strftime("%Y-%m-%d", time.localtime(time_ms / 1000))


@command.command()
@_SUBJECT
@_VALUES
@click.option("--to", "folder", type=click.Path(path_type=Path), required=True, help="Folder to write; a new one.")
@click.pass_context
def export(ctx: click.Context, subject: str, values: tuple[str, ...], folder: Path) -> None:
    """Write what is kept of a person as JSON. Content is opened; the log tells of each reading."""
    from luodi.gateway.forget import export as write

    show = show_of(ctx)
    store, _, person, found = _search(ctx, subject, values)
    counts = write(store, person, found, folder, actor=store.keys.owner())
    text = ", ".join(f"{name} {count}" for name, count in counts.items() if count) or show.say("nothing_here")
    show.line(show.say("privacy_exported", folder=folder, what=text), folder=str(folder), entries=counts)


@command.command()
@_SUBJECT
@_VALUES
@click.option("--reason", default="", help="Why; it stays in the log and in the certificate.")
@click.option("--revoke", is_flag=True, help="Also revoke every release that was made with the person's data.")
@click.option("--again", type=_CERTIFICATE, help="Erase once more what this certificate names, after a restore.")
@click.pass_context
def forget(
    ctx: click.Context, subject: str, values: tuple[str, ...], reason: str, revoke: bool, again: Path | None
) -> None:
    """Erase what is kept of a person, for good, and write a signed certificate of it.

    Content, values behind placeholders, kept answers and data sets of runs go. Places in documents are left out of the
    next run. Releases are flagged: what they hold can't be taken out of them.
    """
    from luodi.gateway.forget import again as once_more
    from luodi.gateway.forget import forget as erase

    show = show_of(ctx)
    if again is not None:
        if subject or values:
            raise click.UsageError("--again takes whom and what from the certificate")
        loaded = loaded_of(ctx)
        store = store_of(ctx, loaded)
        done = once_more(store, loaded, again, actor=store.keys.owner(), revoke=revoke)
        if done is None:
            show.line(show.say("privacy_again_nothing"), certificate=None)
            return
    else:
        if not reason.strip():
            raise click.UsageError("give --reason; it stays in the log")
        store, loaded, person, found = _search(ctx, subject, values)
        done = erase(store, loaded, person, found, reason=reason, actor=store.keys.owner(), revoke=revoke)
    _done(show, done)


def _done(show: Show, done: Forgotten) -> None:
    if show.as_json:
        show.line(
            "", certificate=str(done.path), erased=done.body["erased"], remains=done.body["remains"],
            flagged=list(done.flagged), revoked=list(done.revoked), lingers=done.lingers,
        )  # fmt: skip
        return
    rows = [[show.say(_KINDS[name]), count] for name, count in done.body["erased"].items() if count]
    show.table([show.say("privacy_erased"), show.say("privacy_count")], rows, [])
    rows = [[each["what"], _named(each), each["why"]] for each in done.body["remains"]]
    if rows:
        show.table([show.say("privacy_remains"), "", show.say("privacy_why")], rows, [])
    if done.flagged:
        show.line(show.say("privacy_flagged", releases=", ".join(done.flagged)))
    show.line(show.say("privacy_certified", path=done.path))
    if done.lingers:
        warn(show.say("audit_lingers"), show)


def _named(each: dict[str, Any]) -> str:
    for name in ("path", "release", "file"):
        if name in each:
            return str(each[name])
    return f"{each.get('rows') or each.get('records', '')}"


@command.command()
@click.argument("certificate", type=_CERTIFICATE)
@_SUBJECT
@_VALUES
@click.pass_context
def check(ctx: click.Context, certificate: Path, subject: str, values: tuple[str, ...]) -> int:
    """Verify a certificate, and search again for what it says is gone. Exit code 1 if something is there.

    Texts can be searched only if the values are given again; the certificate does not hold them.
    """
    from luodi.gateway.forget import check as verify

    show, loaded = show_of(ctx), loaded_of(ctx)
    store = store_of(ctx, loaded)
    found = verify(store, loaded, certificate, subject=subject, values=_values(values), actor=store.keys.owner())
    for each in found.wrong:
        show.line(show.say("privacy_wrong", what=each), wrong=each)
    for each in found.remains:
        show.line(show.say("privacy_still", what=each), remains=each)
    body = found.body
    text = show.say(
        "privacy_holds" if found.ok else "privacy_broken", id=body["id"], time=body["time"], signer=found.signer
    )
    show.line(text, ok=found.ok, id=body["id"], time=body["time"], signer=found.signer, whole=found.whole)
    if not found.whole:
        warn(show.say("privacy_by_ids"), show)
    return 0 if found.ok else 1
