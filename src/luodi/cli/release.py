"""`luodi release`"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import click

from luodi.cli import carry
from luodi.cli.context import loaded_of, show_of, store_of

if TYPE_CHECKING:
    from luodi.cli.show import Show
    from luodi.release import Registry, Verified


@click.group()
def command() -> None:
    """List, show, compare, verify, promote, roll back, revoke and carry releases.

    \b
    Examples:
      luodi release ls
      luodi release verify helpdesk@3
      luodi release promote helpdesk@3
      luodi release rollback
      luodi release export helpdesk@3 /media/stick/helpdesk-3.tar
    """


for each in carry.COMMANDS:
    command.add_command(each)


def _name(ctx: click.Context, reference: str | None) -> str:
    return reference or loaded_of(ctx).project.name


@command.command()
@click.pass_context
def ls(ctx: click.Context) -> None:
    """Releases and the channels they are on."""
    from luodi.release import Registry

    show = show_of(ctx)
    found = Registry(store_of(ctx)).all()
    if not found and not show.as_json:
        show.line(show.say("nothing_here"))
        return
    rows = [
        [
            str(r),
            show.say("revoked") if r.revoked else r.verdict,
            ", ".join([*r.channels, *(f"! {flag.partition(':')[0]}" for flag in r.flags)]),
            time.strftime("%Y-%m-%d %H:%M", time.localtime(r.time_ms / 1000)),
            r.digest[:12],
        ]
        for r in found
    ]
    data = [
        {
            "release": str(r),
            "verdict": r.verdict,
            "channels": list(r.channels),
            "revoked": r.revoked,
            "flags": list(r.flags),
            "time_ms": r.time_ms,
            "digest": r.digest,
        }
        for r in found
    ]
    show.table(["release", show.say("verdict"), "channel", "time", "digest"], rows, data)


@command.command()
@click.argument("reference", required=False)
@click.pass_context
def show(ctx: click.Context, reference: str | None) -> None:
    """The five promises of a release."""
    from luodi.cli.promises import show_promises
    from luodi.release import Registry

    out, store = show_of(ctx), store_of(ctx)
    found = Registry(store).find(_name(ctx, reference))
    passport = json.loads((store.artifacts.get(found.digest).files / "passport.json").read_bytes())
    show_promises(passport, out)
    for flag in found.flags:
        out.line(out.say("flagged", flag=flag), flag=flag)
    if found.revoked:
        out.line(out.say("revoked_because", reason=found.revoked), revoked=found.revoked)
    out.line(
        out.say("report", path=store.root / "reports" / f"{found}.html"),
        report=str(store.root / "reports" / f"{found}.html"),
    )


@command.command()
@click.argument("reference", required=False)
@click.pass_context
def route(ctx: click.Context, reference: str | None) -> None:
    """What routing by difficulty costs and what it is worth: its curve, measured on held-out questions.

    Each row is a threshold; the one in force is marked. The difference is to the large model alone, question by
    question.
    """
    from luodi.errors import ReleaseError
    from luodi.release import Registry

    out, store = show_of(ctx), store_of(ctx)
    found = Registry(store).find(_name(ctx, reference))
    path = store.artifacts.get(found.digest).files / "routes" / "route.json"
    if not path.is_file():
        raise ReleaseError(f"{found} does not route by difficulty", "set serve.route: difficulty, then `luodi run`")
    learned = json.loads(path.read_bytes())
    at = learned["at"]
    points = [*learned["curve"], learned["oracle"]]
    marks = [out.say("route_at") if p == at else "" for p in learned["curve"]] + [out.say("route_best")]
    rows = [
        [
            f"{p['share_small']:.0%}", f"{p['usd'] * 1000:.5f}", f"{p['quality']:.3f}", f"{p['difference']:+.3f}",
            f"{p['low']:+.3f} … {p['high']:+.3f}", mark,
        ]
        for p, mark in zip(points, marks, strict=True)
    ]  # fmt: skip
    data = [p | {"in_force": p == at, "oracle": n == len(points) - 1} for n, p in enumerate(points)]
    columns = ["small", "USD / 1,000", "worth", "difference", "interval", ""]
    out.table(
        columns, rows, data, title=f"{found} · n {learned['n']} · {out.say('route_saved', share=learned['saved'])}"
    )


@command.command()
@click.argument("reference", required=False)
@click.pass_context
def verify(ctx: click.Context, reference: str | None) -> int:
    """Check every part against the signature, with no network."""
    from luodi.release import Registry
    from luodi.release import verify as check

    out, store = show_of(ctx), store_of(ctx)
    found = check(Registry(store).find(_name(ctx, reference)), store, allow_failing=True)
    verdict = found.passport["verdict"]
    text = out.say("verified", release=found.release, parts=found.parts, signer=found.signer, verdict=out.say(verdict))
    out.line(text, release=str(found.release), parts=found.parts, signer=found.signer, verdict=verdict)
    return 0 if verdict == "pass" else 1


@command.command()
@click.argument("reference")
@click.option("--to", "channel", type=click.Choice(["live", "canary", "candidate"]), default="live", show_default=True)
@click.option("--anyway", is_flag=True, help="Even if callers of the live release would notice.")
@click.pass_context
def promote(ctx: click.Context, reference: str, channel: str, anyway: bool) -> None:
    """Put a release on a channel; it is verified first, and compared with the live one.

    A shorter context, a language or a model less are refused, since calls that worked would fail.
    """
    from luodi.release import Registry, check_waivers
    from luodi.release import verify as check

    out, store = show_of(ctx), store_of(ctx)
    registry = Registry(store)
    found = registry.find(reference)
    verified = check(found, store)
    check_waivers(verified)
    _compatible(registry, verified, out, anyway)
    registry.move(found, channel, store.keys.owner())  # type: ignore[arg-type]
    out.line(out.say("promoted", release=found, channel=channel), release=str(found), channel=channel)


def _compatible(registry: Registry, verified: Verified, out: Show, anyway: bool) -> None:
    from luodi.cli.show import warn
    from luodi.errors import ReleaseError
    from luodi.release.compatible import clashes

    live = [r for r in registry.all(verified.release.name) if "live" in r.channels and r != verified.release]
    if not live:
        return
    for clash in clashes(registry.store.artifacts.get(live[0].digest).files, verified.folder):
        text = f"{clash.what}: {live[0]} {clash.before}, {verified.release} {clash.after}"
        if clash.level == "block" and not anyway:
            raise ReleaseError(
                f"{verified.release} can't take the place of {live[0]}: {text}", "--anyway does it still"
            )
        warn(text, out)


@command.command()
@click.argument("name", required=False)
@click.pass_context
def rollback(ctx: click.Context, name: str | None) -> None:
    """Make the previous release live again; it is verified first, and nothing is rebuilt."""
    from luodi.gateway.events import emit
    from luodi.release import Registry
    from luodi.release import verify as check

    out, store = show_of(ctx), store_of(ctx)
    registry = Registry(store)
    wanted = _name(ctx, name)
    check(registry.find(f"{wanted}@previous"), store)
    now, was = registry.rollback(wanted, store.keys.owner(), emit)
    out.line(out.say("rolled_back", now=now, was=was), now=str(now), was=str(was))
