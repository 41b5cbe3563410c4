"""`luodi key`"""

from __future__ import annotations

import time

import click

from luodi.cli.context import show_of, store_of

_ROLES = ["user", "reviewer", "auditor", "operator", "admin"]


@click.group()
def command() -> None:
    """Make, list, rotate and revoke API keys, and say what they may use.

    \b
    Examples:
      luodi key make --owner "shop backend" --team shop
      luodi key limit 3f2a --requests-minute 600 --usd-month 50
      luodi key rotate 3f2a --overlap "1 h"
      luodi key usage
    """


@command.command()
@click.option("--owner", required=True, help="Who will use it.")
@click.option("--team", default="", help="The team it belongs to, with whose limits it counts, too.")
@click.option(
    "--role",
    type=click.Choice(_ROLES),
    metavar="ROLE",
    default="user",
    show_default=True,
    help="user, reviewer, auditor, operator or admin: what it may do beside asking.",
)
@click.option("--days", type=float, help="Days until it expires; by default never.")
@click.pass_context
def make(ctx: click.Context, owner: str, team: str, role: str, days: float | None) -> None:
    """Make a key. It is shown once."""
    from luodi.gateway import ApiKeys

    show = show_of(ctx)
    key_id, secret = ApiKeys(store_of(ctx)).create(owner, role, team=team, days=days)  # type: ignore[arg-type]
    show.line(
        f"{show.say('key_made', id=key_id, owner=owner, role=role)}\n{secret}",
        id=key_id,
        key=secret,
        owner=owner,
        role=role,
        team=team,
    )


@command.command()
@click.pass_context
def ls(ctx: click.Context) -> None:
    """Keys and their owners, never the keys themselves."""
    from luodi.gateway import ApiKeys

    show = show_of(ctx)
    found = ApiKeys(store_of(ctx)).all()
    rows = [[k["id"], k["owner"], k["team"], k["role"], _state(k)] for k in found]
    show.table(["id", "owner", "team", "role", "state"], rows, found)


def _state(key: dict[str, object]) -> str:
    if key["revoked_ms"]:
        return "revoked"
    expires = key["expires_ms"]
    return "expired" if isinstance(expires, int) and expires <= time.time() * 1000 else "in force"


@command.command()
@click.argument("key_id")
@click.option("--overlap", default="1 day", show_default=True, help="How long the old key is still taken.")
@click.pass_context
def rotate(ctx: click.Context, key_id: str, overlap: str) -> None:
    """Give a key a new secret. It is shown once; the old one is taken for a while yet."""
    from luodi.errors import LuodiError
    from luodi.gateway import ApiKeys
    from luodi.project.units import parse_duration

    show = show_of(ctx)
    try:
        seconds = parse_duration(overlap)
    except ValueError as error:
        raise LuodiError(f"--overlap: {error}") from error
    keys = ApiKeys(store_of(ctx))
    full = keys.find_id(key_id)
    secret = keys.rotate(full, overlap_s=seconds)
    show.line(f"{show.say('key_rotated', id=full, overlap=overlap)}\n{secret}", id=full, key=secret)


@command.command()
@click.argument("key_id")
@click.pass_context
def revoke(ctx: click.Context, key_id: str) -> None:
    """Refuse a key from now on."""
    from luodi.gateway import ApiKeys

    show = show_of(ctx)
    keys = ApiKeys(store_of(ctx))
    full = keys.find_id(key_id)
    keys.revoke(full)
    show.line(show.say("key_revoked", id=full), revoked=full)


@command.command()
@click.argument("key_id", required=False)
@click.option("--team", help="Limit a team instead of a key.")
@click.option("--all", "project", is_flag=True, help="Limit the whole project instead of a key.")
@click.option("--requests-minute", type=click.IntRange(0), metavar="NUMBER", help="Requests a minute.")
@click.option("--tokens-minute", type=click.IntRange(0), metavar="NUMBER", help="Tokens a minute.")
@click.option("--concurrent", type=click.IntRange(0), metavar="NUMBER", help="Calls at a time.")
@click.option("--usd-day", type=float, help="USD a day (UTC).")
@click.option("--usd-month", type=float, help="USD a month (UTC).")
@click.option("--clear", is_flag=True, help="Take all its limits away first.")
@click.pass_context
def limit(
    ctx: click.Context, /, key_id: str | None, team: str | None, project: bool, usd_day: float | None,
    usd_month: float | None, clear: bool, **counts: int | None,
) -> None:  # fmt: skip
    """Show or change what a key, a team or the whole project may use. In force within a second."""
    from dataclasses import asdict, fields

    from luodi.errors import LuodiError
    from luodi.gateway import ApiKeys
    from luodi.gateway.ledger.limits import PROJECT, Limits, all_limits, set_limits

    show, store = show_of(ctx), store_of(ctx)
    if sum((key_id is not None, team is not None, project)) != 1:
        raise LuodiError("name one: a key, --team or --all", "`luodi key ls` lists keys and teams")
    scope = PROJECT if project else f"team:{team}" if team else f"key:{ApiKeys(store).find_id(str(key_id))}"
    changes: dict[str, int | None] = {f.name: None for f in fields(Limits)} if clear else {}
    changes |= {name: value for name, value in counts.items() if value is not None}
    for name, usd in (("day_nano_usd", usd_day), ("month_nano_usd", usd_month)):
        if usd is not None:
            if not 0 <= usd < 1e9:
                raise LuodiError(f"{usd:g} USD is no budget", "write an amount from 0 to a thousand million")
            changes[name] = round(usd * 1e9)
    found = set_limits(store, scope, changes) if changes else all_limits(store).get(scope, Limits())
    rows = [[name, _amount(name, value)] for name, value in asdict(found).items()]
    show.table(["limit", scope], rows, [{"scope": scope, **asdict(found)}])


def _amount(name: str, value: int | None) -> str:
    if value is None:
        return "–"
    return f"{value / 1e9:.2f} USD" if name.endswith("nano_usd") else f"{value:,}"


@command.command()
@click.pass_context
def usage(ctx: click.Context) -> None:
    """What keys, teams and the project have used: calls, tokens, money today, this month and in all."""
    from luodi.gateway import ApiKeys
    from luodi.gateway.ledger.meters import all_used

    show, store = show_of(ctx), store_of(ctx)
    owners = {f"key:{k['id']}": str(k["owner"]) for k in ApiKeys(store).all()}
    found = all_used(store)
    rows = [
        [u["scope"], owners.get(u["scope"], ""), f"{u['calls']:,}", f"{u['tokens']:,}", _usd(u["day_nano_usd"]),
         _usd(u["month_nano_usd"]), _usd(u["nano_usd"]), _usd(u["held_nano_usd"])]
        for u in found
    ]  # fmt: skip
    show.table(["scope", "owner", "calls", "tokens", "today", "this month", "in all", "held"], rows, found)


def _usd(nano: int) -> str:
    return f"{nano / 1e9:.6f}"
