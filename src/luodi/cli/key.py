"""`luodi key`"""

from __future__ import annotations

import time

import click

from luodi.cli.context import show_of, store_of


@click.group()
def command() -> None:
    """Make, list and revoke API keys.

    \b
    Examples:
      luodi key make --owner "shop backend"
      luodi key revoke 3f2a…
    """


@command.command()
@click.option("--owner", required=True, help="Who will use it.")
@click.option("--role", type=click.Choice(["user", "admin"]), default="user", show_default=True)
@click.option("--days", type=float, help="Days until it expires; by default never.")
@click.pass_context
def make(ctx: click.Context, owner: str, role: str, days: float | None) -> None:
    """Make a key. It is shown once."""
    from luodi.gateway import ApiKeys

    show = show_of(ctx)
    key_id, secret = ApiKeys(store_of(ctx)).create(owner, role, days=days)  # type: ignore[arg-type]
    show.line(
        f"{show.say('key_made', id=key_id, owner=owner, role=role)}\n{secret}",
        id=key_id,
        key=secret,
        owner=owner,
        role=role,
    )


@command.command()
@click.pass_context
def ls(ctx: click.Context) -> None:
    """Keys and their owners, never the keys themselves."""
    from luodi.gateway import ApiKeys

    show = show_of(ctx)
    found = ApiKeys(store_of(ctx)).all()
    rows = [[k["id"], k["owner"], k["role"], _state(k)] for k in found]
    show.table(["id", "owner", "role", "state"], rows, found)


def _state(key: dict[str, object]) -> str:
    if key["revoked_ms"]:
        return "revoked"
    expires = key["expires_ms"]
    return "expired" if isinstance(expires, int) and expires <= time.time() * 1000 else "in force"


@command.command()
@click.argument("key_id")
@click.pass_context
def revoke(ctx: click.Context, key_id: str) -> None:
    """Refuse a key from now on."""
    from luodi.gateway import ApiKeys

    show = show_of(ctx)
    ApiKeys(store_of(ctx)).revoke(key_id)
    show.line(show.say("key_revoked", id=key_id), revoked=key_id)
