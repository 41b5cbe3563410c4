"""`luodi release`: carry releases between stores, compare them, and say whose count."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from luodi.cli.context import show_of, store_of
from luodi.cli.show import Show

if TYPE_CHECKING:
    from luodi.release.layout import Told

_CHANGES = {"added": "change_added", "removed": "change_removed", "changed": "change_changed"}
_PLAIN = click.option("--plain-http", is_flag=True, help="Without TLS, for a registry on this machine.")


@click.command()
@click.argument("before")
@click.argument("after")
@click.option("--lines", is_flag=True, help="Show the changed lines of texts, too.")
@click.pass_context
def diff(ctx: click.Context, before: str, after: str, lines: bool) -> None:
    """What changed between two releases: parts, documents, measurements.

    A measurement moved for sure where the two intervals do not touch; what is marked ~ may be chance.
    """
    from luodi.cli.promises import number
    from luodi.release import Registry, verify
    from luodi.release.difference import compare

    show, store = show_of(ctx), store_of(ctx)
    registry = Registry(store)
    first, second = (verify(registry.find(name), store, allow_failing=True) for name in (before, after))
    found = compare(first.folder, second.folder, first.passport, second.passport)
    if show.as_json:
        show.line("", before=str(first.release), after=str(second.release), **found.as_dict())
        return
    if not (found.parts or found.measurements or any(found.documents.values())):
        show.line(show.say("no_difference"))
        return
    show.table(
        [show.say("part"), show.say("change"), str(first.release), str(second.release)],
        [[p.path, show.say(_CHANGES[p.change]), p.before[:12], p.after[:12]] for p in found.parts],
        [],
    )
    for part in found.parts if lines else ():
        if part.lines:
            show.line("\n" + part.path + "\n" + "\n".join(f"  {line}" for line in part.lines))
    for change, names in found.documents.items():
        if names:
            show.line(show.say("documents_changed", change=show.say(_CHANGES[change]), count=len(names)))
            for name in names[:20]:
                show.line(f"  {name}")
    rows = []
    for m in found.measurements:
        sure = "~" if not m.apart else "+" if m.better else "-" if m.better is not None else ""
        a, b = ("" if v is None else number(v, m.unit) for v in (m.before, m.after))
        rows.append([show.say(m.promise), m.name, a, b, sure])
    show.table([show.say("promise"), show.say("measurement"), str(first.release), str(second.release), ""], rows, [])


@click.command()
@click.argument("reference")
@click.argument("target", type=click.Path(path_type=Path))
@click.pass_context
def export(ctx: click.Context, reference: str, target: Path) -> None:
    """Write a release to a folder, or to one file that ends with .tar, for a machine without network.

    It is an OCI image layout with a ModelPack manifest, so `oras` and registries take it as it is.
    """
    from luodi.release import Registry
    from luodi.release import carry as carrying

    show, store = show_of(ctx), store_of(ctx)
    found = Registry(store).find(reference)
    with told(show, str(found)) as progress:
        packed = carrying.export(found, store, target, progress)
    show.line(
        show.say("exported", release=found, target=target, digest=packed.model.digest),
        release=str(found), target=str(target), digest=packed.model.digest,
    )  # fmt: skip


@click.command(name="import")
@click.argument("source", type=click.Path(path_type=Path))
@click.pass_context
def bring(ctx: click.Context, source: Path) -> None:
    """Take a release from a folder or .tar file; it must be signed by a key that this store trusts."""
    from luodi.release import carry as carrying

    show, store = show_of(ctx), store_of(ctx)
    with told(show, source.name) as progress:
        found = carrying.bring(source, store, store.keys.owner(), progress)
    show.line(
        show.say("imported", release=found, verdict=show.say(found.verdict)), release=str(found), digest=found.digest
    )


@click.command()
@click.argument("reference")
@click.argument("target")
@_PLAIN
@click.pass_context
def push(ctx: click.Context, reference: str, target: str, plain_http: bool) -> None:
    """Upload a release to a registry of containers: HOST[:PORT]/NAME:TAG. Logins of docker and oras are used."""
    from luodi.release import Registry
    from luodi.release import carry as carrying
    from luodi.release.remote import Remote

    show, store = show_of(ctx), store_of(ctx)
    found = Registry(store).find(reference)
    with told(show, target) as progress:
        digest = carrying.push(found, store, Remote(target, plain=plain_http), progress)
    show.line(show.say("exported", release=found, target=target, digest=digest), release=str(found), digest=digest)


@click.command()
@click.argument("source")
@_PLAIN
@click.pass_context
def pull(ctx: click.Context, source: str, plain_http: bool) -> None:
    """Download a release from a registry of containers; it must be signed by a key that this store trusts."""
    from luodi.release import carry as carrying
    from luodi.release.remote import Remote

    show, store = show_of(ctx), store_of(ctx)
    with told(show, source) as progress:
        found = carrying.pull(Remote(source, plain=plain_http), store, store.keys.owner(), progress)
    show.line(
        show.say("imported", release=found, verdict=show.say(found.verdict)), release=str(found), digest=found.digest
    )


@click.command()
@click.argument("reference")
@click.option("--reason", required=True, help="Why; it stays in the log.")
@click.pass_context
def revoke(ctx: click.Context, reference: str, reason: str) -> None:
    """Let a release never be served again.

    Running gateways stop answering from it within a second. If it is live and there is a previous one, that becomes
    live.
    """
    from luodi.gateway.events import emit
    from luodi.release import Registry
    from luodi.release import verify as check

    show, store = show_of(ctx), store_of(ctx)
    registry, who = Registry(store), store.keys.owner()
    found = registry.find(reference)
    previous = [r for r in registry.all(found.name) if "previous" in r.channels]
    if "live" in found.channels and previous:
        check(previous[0], store)
        now, was = registry.rollback(found.name, who, emit)
        show.line(show.say("rolled_back", now=now, was=was), now=str(now), was=str(was))
    registry.revoke(found, reason, who)
    show.line(show.say("revoked_release", release=found), release=str(found), reason=reason)


@click.command()
@click.pass_context
def key(ctx: click.Context) -> None:
    """This store's public key; another store that trusts it takes this one's releases."""
    show, store = show_of(ctx), store_of(ctx)
    text = store.keys.public_text().strip()
    show.line(text, key=text)


@click.command()
@click.argument("file")
@click.pass_context
def trust(ctx: click.Context, file: str) -> None:
    """Take releases signed with the public key in FILE; - reads it from a pipe.

    `release key` writes such a file, in the store that the releases come from.
    """
    from luodi.errors import StoreError
    from luodi.store.keys import read_public

    show, store = show_of(ctx), store_of(ctx)
    try:
        with click.open_file(file, encoding="utf-8") as opened:
            name, public, owner = read_public(opened.read(4096))
    except OSError as error:
        raise StoreError(f"{file} can't be read: {error.strerror}") from error
    except ValueError as error:
        raise StoreError("this is no public key", "it should hold: ed25519 BASE64 OWNER") from error
    store.keys.trust(public, owner)
    with store.database.begin() as connection:
        store.database.log(connection, store.keys.owner(), "signer.trusted", name, owner=owner)
    show.line(show.say("trusted_key", key=name, owner=owner), key=name, owner=owner)


@click.command()
@click.argument("key_id")
@click.pass_context
def distrust(ctx: click.Context, key_id: str) -> None:
    """Let signatures of a key count no more: what it signed is neither served nor taken from then on."""
    show, store = show_of(ctx), store_of(ctx)
    owner = store.keys.distrust(key_id)
    with store.database.begin() as connection:
        store.database.log(connection, store.keys.owner(), "signer.distrusted", key_id, owner=owner)
    show.line(show.say("distrusted_key", key=key_id, owner=owner), key=key_id, owner=owner)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.pass_context
def scan(ctx: click.Context, folder: Path) -> int:
    """Say which files of a model's folder a release may not hold, before you use it. Nothing is loaded.

    With the extra scan it also says what pickles would call. Exit code 1 if there is something.
    """
    from luodi.release.scan import scan as look

    show = show_of(ctx)
    found = list(look(folder))
    bad = [each for each in found if each.problem]
    for each in bad:
        calls = "".join(f"\n    {call}" for call in each.calls)
        show.line(f"{each.path}: {each.problem}{calls}", **asdict(each))
    if bad and not any(each.looked for each in bad):
        show.line(show.say("scan_more"), hint="pip install 'luodi[scan]'")
    if not bad:
        show.line(show.say("scan_ok", count=len(found)), files=len(found))
    return 1 if bad else 0


@click.command()
@click.argument("name", type=click.Choice(["passport", "compliance"]))
@click.pass_context
def schema(ctx: click.Context, name: str) -> None:
    """The JSON Schema of passports or of compliance reports, for programs that read them."""
    import json

    from luodi.release.schemas import schema as read

    loaded = read(name)
    show_of(ctx).line(json.dumps(loaded, indent=1), **loaded)


COMMANDS = (scan, schema, diff, export, bring, push, pull, revoke, key, trust, distrust)


@contextmanager
def told(show: Show, what: str) -> Iterator[Told]:
    """A bar over the parts, on a terminal."""
    if not show.fancy:
        yield lambda done, total, note: None
        return
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (TextColumn("[bold]{task.description}"), BarColumn(bar_width=16), TextColumn("{task.fields[note]}"))
    with Progress(*columns, transient=True) as progress:
        task = progress.add_task(what, note="")
        yield lambda done, total, note: progress.update(task, completed=done, total=total, note=note)
