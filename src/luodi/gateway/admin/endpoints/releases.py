"""Releases and their channels."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Literal

from luodi.errors import ReleaseError
from luodi.gateway.admin.asked import Asked, Body
from luodi.gateway.events import emit
from luodi.gateway.problem import Problem
from luodi.release import Registry, Release, check_waivers, verify


class Promote(Body):
    channel: Literal["live", "canary", "candidate"] = "live"


def ls(asked: Asked) -> dict[str, Any]:
    asked.only()
    serving = asked.gateway.served.release
    found = Registry(asked.store).all()
    return {"data": [_told(r) | {"serving": str(r) == serving} for r in found]}


def promote(asked: Asked) -> dict[str, Any]:
    registry = Registry(asked.store)
    found = _named(registry, asked.path["release"])
    check_waivers(verify(found, asked.store))
    registry.move(found, asked.body.channel, asked.who.actor)
    return _told(_named(registry, str(found)))


def rollback(asked: Asked) -> dict[str, Any]:
    registry, name = Registry(asked.store), asked.path["release"]
    verify(_named(registry, f"{name}@previous"), asked.store)
    now, was = registry.rollback(name, asked.who.actor, emit)
    return {"now": str(now), "was": str(was)}


def _named(registry: Registry, reference: str) -> Release:
    """Raises: Problem if there is no such release."""
    try:
        return registry.find(reference)
    except ReleaseError as error:
        raise Problem(404, "not_found_error", error.message, code="release_not_found") from error


def _told(release: Release) -> dict[str, Any]:
    return {"release": str(release), **asdict(release)}
