"""API keys. Only an admin handles keys that may do more than ask: whoever has a key's secret may do what it may."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from luodi.gateway.admin.asked import Asked, Body, Said
from luodi.gateway.keys import Role
from luodi.gateway.problem import Problem

_YEAR_S = 365 * 86_400


class New(Body):
    owner: str = Field(min_length=1, max_length=200)
    role: Role = "user"
    team: str = Field("", max_length=100)
    days: float | None = Field(None, gt=0, le=36_500)


class Rotate(Body):
    overlap_s: float = Field(86_400, ge=0, le=_YEAR_S)


def ls(asked: Asked) -> dict[str, Any]:
    asked.only()
    return {"data": asked.gateway.keys.all()}


def make(asked: Asked) -> Said:
    body: New = asked.body
    _check(asked, body.role)
    id_, secret = asked.gateway.keys.create(
        body.owner, body.role, team=body.team, days=body.days, actor=asked.who.actor
    )
    return Said({"id": id_, "key": secret, "owner": body.owner, "role": body.role, "team": body.team}, 201)


def rotate(asked: Asked) -> dict[str, Any]:
    id_ = _named(asked)
    return {"id": id_, "key": asked.gateway.keys.rotate(id_, overlap_s=asked.body.overlap_s, actor=asked.who.actor)}


def revoke(asked: Asked) -> dict[str, Any]:
    id_ = _named(asked)
    asked.gateway.keys.revoke(id_, actor=asked.who.actor)
    return {"id": id_, "state": "revoked"}


def forgive(asked: Asked) -> dict[str, Any]:
    """Forget how a key behaved, on this worker, so that it is held back no longer."""
    id_ = _named(asked)
    asked.gateway.keys.forgiven(id_, actor=asked.who.actor)
    forgiven = [asked.gateway.behaviour.forgive(f"{whose}:{id_}") for whose in ("key", "users")]
    return {"id": id_, "forgiven": any(forgiven)}


def _named(asked: Asked) -> str:
    """Raises: Problem if there is no key of the path's id, or another role is needed for it."""
    id_ = asked.path["key"]
    found = next((k for k in asked.gateway.keys.all() if k["id"] == id_), None)
    if found is None:
        raise Problem(404, "not_found_error", f"there is no key {id_!r}", code="key_not_found")
    _check(asked, str(found["role"]))
    return id_


def _check(asked: Asked, role: str) -> None:
    if role != "user" and asked.who.role != "admin":
        raise Problem(403, "permission_error", f"only an admin handles keys with the role {role}", code="admin_only")
