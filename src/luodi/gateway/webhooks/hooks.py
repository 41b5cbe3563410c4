"""A webhook of the project file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from luodi.errors import ProjectError
from luodi.gateway.webhooks.outside import check_url
from luodi.gateway.webhooks.sign import secrets_of


@dataclass(frozen=True, slots=True)
class Hook:
    """Where events are sent.

    Attributes:
        secrets: what they are signed with, the newest first.
        events: the kinds that it asks for; all if empty.
    """

    name: str
    url: str
    host: str
    secrets: tuple[bytes, ...] = field(repr=False)
    events: frozenset[str] = frozenset()

    def wants(self, kind: str) -> bool:
        return kind != "ping" and (not self.events or kind in self.events)


def open_hooks(specs: Iterable[Mapping[str, Any]], *, plain: bool = False) -> dict[str, Hook]:
    """The webhooks of `serve.webhooks`, by name, with their secrets.

    Args:
        plain: whether http without TLS is good for other machines than this one.

    Raises:
        ProjectError: two of one name, an address that is none, or a variable that is not set.
        LuodiError: a variable that holds no secret.
    """
    found: dict[str, Hook] = {}
    for spec in specs:
        name, url = str(spec["name"]), str(spec["url"])
        if name in found:
            raise ProjectError(f"serve.webhooks: {name!r} is there twice", "give each a name of its own")
        host = check_url(url, f"webhook {name!r}", plain=plain)
        variable = str(spec["secret"]).removeprefix("env:")
        if not os.environ.get(variable):
            raise ProjectError(f"webhook {name!r}: {variable} is not set", "put its secret into that variable")
        secrets = secrets_of(os.environ[variable], variable)
        found[name] = Hook(name, url, host, secrets, frozenset(spec.get("events") or ()))
    return found
