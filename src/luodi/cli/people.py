"""`luodi people`"""

from __future__ import annotations

import sys

import click

from luodi.cli.context import show_of, store_of
from luodi.cli.show import Show

_ROLES = click.Choice(["admin", "operator", "reviewer", "auditor", "user"])


@click.group()
def command() -> None:
    """People who sign in to the admin pages and the admin API, and what each may do.

    \b
    Examples:
      luodi people add wang.fang --role reviewer
      luodi people role wang.fang auditor
      luodi people disable wang.fang
    """


def _password(show: Show, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    text: str = click.prompt(show.say("password"), hide_input=True, confirmation_prompt=show.say("password_again"))
    return text


@command.command()
@click.argument("name")
@click.option("--role", type=_ROLES, metavar="ROLE", required=True, help="admin, operator, reviewer, auditor or user.")
@click.option("--team", default="", help="The team the person belongs to.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input in place of asking.")
@click.pass_context
def add(ctx: click.Context, name: str, role: str, team: str, password_stdin: bool) -> None:
    """Add a person. The password has twelve characters at least."""
    from luodi.gateway.admin import People

    show, people = show_of(ctx), People(store_of(ctx))
    made = people.add(name, role, _password(show, password_stdin), team=team)
    show.line(show.say("person_added", name=made.name, role=made.role), **made.as_dict())


@command.command()
@click.pass_context
def ls(ctx: click.Context) -> None:
    """People, their roles, and who is disabled or locked."""
    from luodi.gateway.admin import People

    show = show_of(ctx)
    found = People(store_of(ctx)).all()
    if not found and not show.as_json:
        show.line(show.say("nothing_here"))
        return
    rows = [[p.name, p.role, p.team, p.state] for p in found]
    show.table(["name", "role", "team", "state"], rows, [p.as_dict() for p in found])


@command.command()
@click.argument("name")
@click.pass_context
def disable(ctx: click.Context, name: str) -> None:
    """Let a person sign in no more. Their sessions end at once."""
    from luodi.gateway.admin import People

    show = show_of(ctx)
    person = People(store_of(ctx)).change(name, disabled=True)
    show.line(show.say("person_disabled", name=person.name), **person.as_dict())


@command.command()
@click.argument("name")
@click.pass_context
def enable(ctx: click.Context, name: str) -> None:
    """Let a person sign in again; also lifts the lock that wrong passwords set."""
    from luodi.gateway.admin import People

    show = show_of(ctx)
    person = People(store_of(ctx)).change(name, disabled=False)
    show.line(show.say("person_enabled", name=person.name), **person.as_dict())


@command.command()
@click.argument("name")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input in place of asking.")
@click.pass_context
def password(ctx: click.Context, name: str, password_stdin: bool) -> None:
    """Give a person a new password. Their sessions end at once."""
    from luodi.gateway.admin import People

    show, people = show_of(ctx), People(store_of(ctx))
    person = people.get(name)
    people.set_password(person.name, _password(show, password_stdin))
    show.line(show.say("person_password", name=person.name), name=person.name)


@command.command()
@click.argument("name")
@click.argument("new", metavar="ROLE", type=_ROLES)
@click.pass_context
def role(ctx: click.Context, name: str, new: str) -> None:
    """Give a person another role. Their sessions end at once."""
    from luodi.gateway.admin import People

    show = show_of(ctx)
    person = People(store_of(ctx)).change(name, role=new)
    show.line(show.say("person_role", name=person.name, role=person.role), **person.as_dict())
