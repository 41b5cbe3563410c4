"""People who sign in."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from luodi.gateway.admin.asked import Asked, Body, Said
from luodi.gateway.admin.people import People, Person, plain_name
from luodi.gateway.keys import Role
from luodi.gateway.problem import Problem, invalid


class New(Body):
    name: str = Field(max_length=200)
    role: Role
    team: str = Field("", max_length=100)
    password: str = Field(max_length=1024)


class Change(Body):
    role: Role | None = None
    team: str | None = Field(None, max_length=100)
    disabled: bool | None = None


class Password(Body):
    password: str = Field(max_length=1024)


def ls(asked: Asked) -> dict[str, Any]:
    asked.only()
    return {"data": [p.as_dict() for p in People(asked.store).all()]}


def add(asked: Asked) -> Said:
    body: New = asked.body
    made = People(asked.store).add(body.name, body.role, body.password, team=body.team, actor=asked.who.actor)
    return Said(made.as_dict(), 201)


def change(asked: Asked) -> dict[str, Any]:
    body: Change = asked.body
    person = _named(asked)
    if asked.who.session is not None and asked.who.session.person == person.id:
        raise Problem(403, "permission_error", "nobody changes their own role or disables themselves", code="oneself")
    if body.role is None and body.team is None and body.disabled is None:
        raise invalid("nothing is to be changed; write role, team or disabled")
    changed = People(asked.store).change(
        person.name, role=body.role, team=body.team, disabled=body.disabled, actor=asked.who.actor
    )
    return changed.as_dict()


def password(asked: Asked) -> dict[str, Any]:
    body: Password = asked.body
    person = _named(asked)
    People(asked.store).set_password(person.name, body.password, actor=asked.who.actor)
    return {"name": person.name, "password": "changed"}


def _named(asked: Asked) -> Person:
    """Raises: Problem if there is nobody of the path's name."""
    name = plain_name(asked.path["name"])
    for person in People(asked.store).all():
        if person.name == name:
            return person
    raise Problem(404, "not_found_error", f"there is no person {name!r}", code="person_not_found")
