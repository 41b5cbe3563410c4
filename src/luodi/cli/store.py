"""`luodi store`"""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict
from pathlib import Path

import click

from luodi.cli.context import root_of, show_of, store_of


@click.group()
def command() -> None:
    """List, show, verify and clear artifacts; back the store up and bring it back.

    \b
    Examples:
      luodi store ls
      luodi store verify --repair
      luodi store gc --dry-run
      luodi store backup /mnt/backup/helpdesk.tar
      luodi store drill /mnt/backup/helpdesk.tar
    """


@command.command()
@click.pass_context
def ls(ctx: click.Context) -> None:
    """Every artifact, with its kind, size and time."""
    show, store = show_of(ctx), store_of(ctx)
    rows, data = [], []
    for artifact in store.artifacts.all():
        m = artifact.manifest()
        size = sum(f["size"] for f in m["files"])
        rows.append([artifact.digest[:12], m["kind"], f"{size / 1e6:,.1f} MB", m["time"]])
        data.append({"digest": artifact.digest, "kind": m["kind"], "bytes": size, "time": m["time"]})
    show.table(["digest", "kind", "size", "time"], rows, data)


@command.command()
@click.argument("digest")
@click.pass_context
def show(ctx: click.Context, digest: str) -> None:
    """One artifact: what made it, from what, and its files."""
    out, store = show_of(ctx), store_of(ctx)
    artifact = store.artifacts.find(digest)
    m = artifact.manifest()
    if out.as_json:
        out.line("", **m)
        return
    out.line(f"{m['kind']}  {m['digest']}\n{m['time']}  {artifact.files}")
    for name, value in m.get("parts", {}).get("inputs", {}).items():
        out.line(f"  input {name}: {value[:12]}")
    params = m.get("parts", {}).get("params")
    if params:
        out.line("  options: " + json.dumps(params, ensure_ascii=False)[:400])
    out.table(["file", "size", "digest"], [[f["path"], f["size"], f["digest"][:12]] for f in m["files"]], m["files"])


@command.command()
@click.option("--repair", is_flag=True, help="Remove what is damaged; the next run makes it again.")
@click.pass_context
def verify(ctx: click.Context, repair: bool) -> int:
    """Read every artifact again and compare it with its digest."""
    out, store = show_of(ctx), store_of(ctx)
    count, bad = 0, []
    for artifact in list(store.artifacts.all()):
        count += 1
        problems = store.artifacts.problems(artifact)
        for problem in problems:
            out.line(
                out.say("store_bad", digest=artifact.digest[:12], problem=problem),
                digest=artifact.digest,
                problem=problem,
            )
        if problems:
            bad.append(artifact)
    if not bad:
        out.line(out.say("store_ok", count=count), artifacts=count, damaged=0)
        return 0
    if repair:
        for artifact in bad:
            store.artifacts.remove(artifact)
        out.line(out.say("repaired", count=len(bad)), removed=len(bad))
        return 0
    return 2


@command.command()
@click.option("--dry-run", is_flag=True, help="Say what would be removed, and remove nothing.")
@click.pass_context
def gc(ctx: click.Context, dry_run: bool) -> None:
    """Remove what neither the latest run nor any release needs."""
    from luodi.pipeline.collecting import garbage, sweep
    from luodi.release import Registry

    out, store = show_of(ctx), store_of(ctx)
    keep = {r.digest for r in Registry(store).all()}
    if dry_run:
        found = garbage(store, keep)
        size = sum(sum(f["size"] for f in a.manifest()["files"]) for a in found)
        out.line(out.say("would_free", count=len(found), bytes=size / 1e6), would_remove=len(found), bytes=size)
        return
    count, size = sweep(store, keep)
    out.line(out.say("freed", count=count, bytes=size / 1e6), removed=count, bytes=size)


@command.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--all", "everything", is_flag=True, help="Also what no release needs, so that nothing is built again.")
@click.pass_context
def backup(ctx: click.Context, file: Path, everything: bool) -> None:
    """Write the database, the keys and all releases to one file, while the gateway serves.

    Who has the file can sign as this store and open what it sealed: keep it as safe as the store.
    """
    from luodi.cli.carry import told
    from luodi.store.backup import backup as write

    show = show_of(ctx)
    with told(show, file.name) as progress:
        found = write(store_of(ctx), file, everything=everything, told=progress)
    text = show.say("backed_up", file=file, releases=found.releases, bytes=found.bytes / 1e6)
    show.line(text, file=str(file), **asdict(found))


@command.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.pass_context
def restore(ctx: click.Context, file: Path) -> None:
    """Make the project's store from a backup. There must be none yet."""
    from luodi.cli.carry import told
    from luodi.store.backup import restore as read

    show = show_of(ctx)
    root = Path(os.environ.get("LUODI_HOME") or root_of(ctx) / ".luodi")
    with told(show, file.name) as progress:
        found = read(file, root, progress)
    show.line(
        show.say("restored", root=root, time=found.time, releases=found.releases), root=str(root), **asdict(found)
    )


@command.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.pass_context
def drill(ctx: click.Context, file: Path) -> int:
    """Bring a backup back in a temporary folder, verify every release and the log there, and say how long it took."""
    import tempfile

    from luodi.cli.carry import told
    from luodi.release import Registry, verify_folder
    from luodi.store import Store
    from luodi.store.audit import verify as check
    from luodi.store.backup import restore as read

    show = show_of(ctx)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="luodi-drill-") as folder, told(show, file.name) as progress:
        store = Store(Path(folder) / "store")
        found = read(file, store.root, progress)
        seconds = time.monotonic() - started
        releases = Registry(store).all()
        for release in releases:
            verify_folder(store.artifacts.get(release.digest).files, store)
        report = check(store)
        store.database.close()
    whole = report.ok and len(releases) == found.releases
    text = show.say(
        "drilled" if whole else "drill_failed", file=file, restored=seconds, total=time.monotonic() - started,
        releases=len(releases), of=found.releases, problems=len(report.problems),
    )  # fmt: skip
    for problem in report.problems:
        show.line(f"  {problem.as_dict()}", **problem.as_dict())
    show.line(
        text, ok=whole, releases=len(releases), restore_seconds=round(seconds, 3),
        seconds=round(time.monotonic() - started, 3), log_ok=report.ok, backup_time=found.time,
    )  # fmt: skip
    return 0 if whole else 1
