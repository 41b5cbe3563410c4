"""Limits, and what was used of them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from pydantic import Field

from luodi.gateway.admin.asked import Asked, Body
from luodi.gateway.ledger.limits import PROJECT, Limits, all_limits, set_limits
from luodi.gateway.ledger.meters import all_used
from luodi.gateway.problem import Problem, invalid

_Count = Annotated[int, Field(ge=0, le=10**15)]
_Money = Annotated[int, Field(ge=0, le=10**18)]


class NewLimits(Body):
    """Whatever is left out is unlimited. Money is in nano-dollars."""

    requests_minute: _Count | None = None
    tokens_minute: _Count | None = None
    concurrent: _Count | None = None
    day_nano_usd: _Money | None = None
    month_nano_usd: _Money | None = None


def ls(asked: Asked) -> dict[str, Any]:
    asked.only()
    return {"data": [{"scope": scope, **asdict(found)} for scope, found in all_limits(asked.store).items()]}


def get(asked: Asked) -> dict[str, Any]:
    scope = _scope(asked)
    return {"scope": scope, **asdict(all_limits(asked.store).get(scope, Limits()))}


def put(asked: Asked) -> dict[str, Any]:
    scope = _scope(asked)
    changes = asked.body.model_dump()
    return {"scope": scope, **asdict(set_limits(asked.store, scope, changes, actor=asked.who.actor))}


def usage(asked: Asked) -> dict[str, Any]:
    asked.only()
    owners = {f"key:{k['id']}": k["owner"] for k in asked.gateway.keys.all()}
    return {"data": [{"owner": owners.get(u["scope"]), **u} for u in all_used(asked.store)]}


def _scope(asked: Asked) -> str:
    """Raises: Problem if the path names no scope, or a key that is not there."""
    scope = asked.path["scope"]
    kind, _, name = scope.partition(":")
    if scope == PROJECT:
        return scope
    if kind not in ("key", "team") or not name or len(scope) > 120 or len(name.encode()) > 100:
        raise invalid(f"there is no scope {scope[:120]!r}; write project, key:ID or team:NAME", "scope")
    if kind == "key" and all(k["id"] != name for k in asked.gateway.keys.all()):
        raise Problem(404, "not_found_error", f"there is no key {name!r}", code="key_not_found")
    return scope
