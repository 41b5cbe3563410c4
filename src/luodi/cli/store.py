"""`luodi store`"""

from __future__ import annotations

import json

import click

from luodi.cli.context import show_of, store_of


@click.group()
def command() -> None:
    """List, show, verify and clear artifacts.

    \b
    Examples:
      luodi store ls
      luodi store verify --repair
      luodi store gc --dry-run
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
