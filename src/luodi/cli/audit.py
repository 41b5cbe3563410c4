"""`luodi audit`"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from luodi.cli.context import loaded_of, show_of, store_of
from luodi.cli.show import Show, warn
from luodi.errors import StoreError

if TYPE_CHECKING:
    from luodi.store.audit.note import TrustedKeys

_FILE = click.Path(path_type=Path, dir_okay=False)
_TIMES = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"])


@click.group()
def command() -> None:
    """Verify, prove, export and prune the log of calls and admin actions.

    \b
    Examples:
      luodi audit verify --anchor /mnt/other-host/witness.txt
      luodi audit prove evt_6b1c0a2f9d3e4f5a6b7c8d9e -o proof.json
      luodi audit check proof.json
      luodi audit erase --subject user:4711 --reason "request of 3 May"
    """


@command.command()
@click.option(
    "--anchor", "anchors", multiple=True, type=_FILE, help="A witness file with checkpoints; may be repeated."
)
@click.option("--key", "keys", multiple=True, type=_FILE, help="Trust this public key, and not the store's.")
@click.option("--tsa-root", "roots", multiple=True, type=_FILE, help="Root certificates of time stamps, in PEM form.")
@click.option("--no-content", is_flag=True, help="Leave sealed content unopened.")
@click.pass_context
def verify(
    ctx: click.Context, anchors: tuple[Path, ...], keys: tuple[Path, ...], roots: tuple[Path, ...], no_content: bool
) -> int:
    """Check every record, checkpoint and witness; no server is needed. Exit code 1 if something is wrong."""
    from luodi.store.audit import verify as check

    show = show_of(ctx)
    report = check(
        store_of(ctx), anchors=anchors, trusted=_trusted(keys), content=not no_content, tsa_roots=_certificates(roots)
    )
    for problem in report.problems:
        show.line(_told(show, problem.as_dict()), **problem.as_dict())
    key = "audit_ok" if report.ok else "audit_problems"
    values = report.as_dict()
    text = show.say(key, rate=report.rows_per_second, **values)
    show.line(text, **values, rows_per_second=round(report.rows_per_second))
    if not anchors:
        warn(show.say("audit_no_anchor"), show)
    return 0 if report.ok else 1


def _told(show: Show, problem: dict[str, Any]) -> str:
    """Where, what, and what was found."""
    low, high = problem["seq"], problem["to_seq"]
    where = "" if low is None else show.say("audit_row", seq=low)
    if low != high:
        where = show.say("audit_rows", low=low, high=high)
    parts = [where, problem["id"], show.say(f"audit_{problem['kind']}"), problem["detail"]]
    return "  ".join(p for p in parts if p)


@command.command()
@click.argument("record")
@click.option("-o", "--output", type=_FILE, help="File to write; by default the proof is printed.")
@click.pass_context
def prove(ctx: click.Context, record: str, output: Path | None) -> None:
    """Write the proof of one record, which `luodi audit check` verifies anywhere."""
    from luodi.store import write_json
    from luodi.store.audit import prove as make

    show = show_of(ctx)
    proof = make(store_of(ctx), record)
    if output is None:
        click.echo(json.dumps(proof, ensure_ascii=False, indent=None if show.as_json else 1))
        return
    write_json(output, proof)
    show.line(
        show.say("audit_proved", id=record, path=output, size=proof["size"]), path=str(output), size=proof["size"]
    )


@command.command()
@click.argument("file", type=_FILE)
@click.option("--key", "keys", multiple=True, type=_FILE, help="Public key that must have signed; may be repeated.")
@click.pass_context
def check(ctx: click.Context, file: Path, keys: tuple[Path, ...]) -> None:
    """Verify a proof. It needs no project and no database."""
    from luodi.store.audit import check as verify_proof

    show = show_of(ctx)
    proof = _json(file)
    trusted = _trusted(keys)
    body, signer = verify_proof(proof, trusted)
    text = show.say("audit_proof_ok", id=body["id"], seq=proof["seq"], size=proof["size"], signer=signer)
    show.line(text, id=body["id"], seq=proof["seq"], size=proof["size"], signer=signer, body=body)
    if not show.as_json:
        show.line(json.dumps(body, ensure_ascii=False, indent=1))
    if trusted is None:
        warn(show.say("audit_key_unknown"), show)


@command.command()
@click.option("--from", "start", type=_TIMES, metavar="TIME", help="First moment (UTC), for instance 2026-05-03.")
@click.option("--to", "end", type=_TIMES, metavar="TIME", help="Moment before which it ends (UTC).")
@click.option("--proofs", is_flag=True, help="Each record with its proof.")
@click.option("-o", "--output", type=_FILE, help="File to write; by default it is printed.")
@click.pass_context
def export(ctx: click.Context, start: Any, end: Any, proofs: bool, output: Path | None) -> None:
    """Write records as JSON lines, after the newest checkpoint; the log tells of it.

    A row of a generated answer has its label (AIGC) beside it.
    """
    from luodi.gateway.labels import Labels
    from luodi.store.audit import export as rows

    show, store = show_of(ctx), store_of(ctx)
    low, high = _ms(start, 0), _ms(end, 1 << 62)
    count = -1
    with click.open_file(str(output) if output else "-", "w", encoding="utf-8", atomic=output is not None) as file:
        labels = Labels(store)
        for row in rows(store, from_ms=low, to_ms=high, proofs=proofs):
            if row.get("body") and (label := labels.of_row(json.loads(row["body"]))):
                row["AIGC"] = label
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            count += 1
    with store.database.begin() as connection:
        data = {"from_ms": low, "to_ms": min(high, (1 << 53) - 1), "rows": count}
        store.database.log(connection, store.keys.owner(), "audit.exported", "log", **data)
    if output is not None:
        show.line(show.say("audit_exported", rows=count, path=output), rows=count, path=str(output))


@command.command()
@click.option("--id", "ids", multiple=True, help="Record whose content is erased; may be repeated.")
@click.option("--subject", default="", help="Person whose content is erased, for instance user:4711.")
@click.option("--reason", required=True, help="Why; kept in the log.")
@click.pass_context
def erase(ctx: click.Context, ids: tuple[str, ...], subject: str, reason: str) -> None:
    """Erase the content of records, for good. The records stay and say nothing of it; the log still verifies."""
    from luodi.store.audit import erase as wipe

    if not ids and not subject:
        raise click.UsageError("name a record with --id, or a person with --subject")
    show, store = show_of(ctx), store_of(ctx)
    done = wipe(store, ids=ids, subject=subject, reason=reason, actor=store.keys.owner())
    show.line(
        show.say("audit_erased", count=len(done.ids)),
        erased=list(done.ids), without_content=list(done.without), lingers=done.lingers,
    )  # fmt: skip
    if done.without:
        warn(show.say("audit_without", ids=", ".join(done.without)), show)
    if done.lingers:
        warn(show.say("audit_lingers"), show)


@command.command()
@click.option(
    "--days", type=click.FloatRange(min=0), help="Days that records are kept whole; by default the project's."
)
@click.option(
    "--content-days", type=click.FloatRange(min=0), help="Days that content is kept; by default the project's."
)
@click.pass_context
def retain(ctx: click.Context, days: float | None, content_days: float | None) -> None:
    """Let go of what is older than the policy says. Hashes stay, and the log still verifies."""
    from luodi.store.audit import retain as let_go

    show, loaded = show_of(ctx), loaded_of(ctx)
    store = store_of(ctx, loaded)
    policy = loaded.project.serve.audit
    if days is None and content_days is None:
        days, content_days = policy.record_days or None, policy.content_days
    done = let_go(store, days=days, content_days=content_days, actor=store.keys.owner())
    show.line(
        show.say("audit_retained", bodies=done.bodies, payloads=done.payloads),
        bodies=done.bodies, payloads=done.payloads, first_seq=done.first_seq, last_seq=done.last_seq,
    )  # fmt: skip


@command.command()
@click.option("--anchor", "anchors", multiple=True, help="Where to put it; by default as the project says.")
@click.pass_context
def checkpoint(ctx: click.Context, anchors: tuple[str, ...]) -> int:
    """Sign the log's head now, and put it outside. Exit code 1 if it could not be put somewhere."""
    from luodi.store.audit import anchor_newest, make_checkpoint

    show, loaded = show_of(ctx), loaded_of(ctx)
    store = store_of(ctx, loaded)
    size = make_checkpoint(store)
    show.line(show.say("audit_checkpoint", size=size) if size else show.say("audit_no_growth"), size=size)
    failed = False
    for entry in anchor_newest(store, anchors or loaded.project.serve.audit.anchors):
        error = entry.get("error")
        failed = failed or error is not None
        text = (
            show.say("audit_not_anchored", to=entry["to"], why=error) if error else show.say("audit_anchored", **entry)
        )
        show.line(text, to=entry["to"], error=error)
    return int(failed)


@command.command()
@click.option("--kind", help="Records of one kind, for instance call or release.live.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="How many.")
@click.pass_context
def ls(ctx: click.Context, kind: str | None, limit: int) -> None:
    """The newest records, the newest last."""
    from luodi.store.audit.browse import newest_rows, time_text

    show = show_of(ctx)
    found = newest_rows(store_of(ctx), kind, limit)
    if not found and not show.as_json:
        show.line(show.say("nothing_here"))
        return
    rows = [
        [r["seq"], r["id"], time_text(r["time_ms"]), r["kind"], r["actor"], r["subject"], r["outcome"]] for r in found
    ]
    show.table(["place", "id", "time", "kind", "actor", "subject", "outcome"], rows, found)


@command.command()
@click.argument("record")
@click.option("--content", is_flag=True, help="Open its content, too; the log tells of it.")
@click.pass_context
def show(ctx: click.Context, record: str, content: bool) -> None:
    """One record: all that it holds."""
    from luodi.store.audit import open_payload
    from luodi.store.audit.browse import one_row

    out, store = show_of(ctx), store_of(ctx)
    row = one_row(store, record)
    if content:
        with store.database.begin() as connection:  # first: nobody reads what the log does not tell of
            store.database.log(connection, store.keys.owner(), "audit.content_read", record)
        row["opened"] = open_payload(store, record)
    out.line(json.dumps(row, ensure_ascii=False, indent=1), **row)


@command.command()
@click.option("--retire", "number", type=int, help="Seal again what this key sealed, then delete it.")
@click.pass_context
def rekey(ctx: click.Context, number: int | None) -> None:
    """Make a new key for content; with --retire, let go of an old one."""
    from luodi.store.audit import PayloadKeys, retire

    out, store = show_of(ctx), store_of(ctx)
    if number is not None:
        done = retire(store, number, actor=store.keys.owner())
        out.line(out.say("audit_retired", number=number, count=done), retired=number, payloads=done)
        return
    made = PayloadKeys(store.keys.root).rotate().number
    with store.database.begin() as connection:
        store.database.log(connection, store.keys.owner(), "audit.key_made", f"payload-{made}")
    out.line(out.say("audit_rekeyed", number=made), key=made)


def _trusted(files: tuple[Path, ...]) -> TrustedKeys | None:
    from luodi.store.keys import read_public

    if not files:
        return None
    found = {}
    for path in files:
        try:
            name, key, owner = read_public(path.read_text("utf-8"))
        except ValueError as error:
            raise StoreError(f"{path} is not a public key", "it should hold: ed25519 BASE64 OWNER") from error
        found[name] = (key, owner)
    return found


def _certificates(files: tuple[Path, ...]) -> list[Any]:
    from cryptography.x509 import load_pem_x509_certificates

    found: list[Any] = []
    for path in files:
        try:
            found += load_pem_x509_certificates(path.read_bytes())
        except ValueError as error:
            raise StoreError(f"{path} holds no certificate", "it should be in PEM form") from error
    return found


def _json(path: Path) -> dict[str, Any]:
    value: Any = None
    with suppress(ValueError):
        value = json.loads(path.read_bytes())
    if not isinstance(value, dict):
        raise StoreError(f"{path} is no proof", "`luodi audit prove ID -o FILE` makes one")
    return value


def _ms(moment: Any, default: int) -> int:
    from datetime import UTC

    return default if moment is None else int(moment.replace(tzinfo=UTC).timestamp() * 1000)
