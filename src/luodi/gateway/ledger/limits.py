"""What a key, a team or the whole project may use."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, insert, select

from luodi.errors import LuodiError
from luodi.store import Store
from luodi.store.migrations import limits as table

PROJECT = "project"


@dataclass(frozen=True, slots=True)
class Limits:
    """None is unlimited. Requests and tokens refill evenly over the minute; money is per UTC day and month."""

    requests_minute: int | None = None
    tokens_minute: int | None = None
    concurrent: int | None = None  # calls in flight
    day_nano_usd: int | None = None
    month_nano_usd: int | None = None

    def __bool__(self) -> bool:
        return any(getattr(self, f.name) is not None for f in fields(self))


class Scope(NamedTuple):
    """One of those whose limits a call must keep: "key:ID", "team:NAME" or "project"."""

    name: str
    limits: Limits


def scopes_of(connection: Connection, key_id: str, team: str) -> tuple[Scope, ...]:
    """The scopes of a key, the narrowest first."""
    names = [f"key:{key_id}", *([f"team:{team}"] if team else []), PROJECT]
    found = dict(connection.execute(select(table.c.scope, table.c.data).where(table.c.scope.in_(names))).all())
    return tuple(Scope(name, _parse(found.get(name))) for name in names)


def _parse(data: str | None) -> Limits:
    return Limits(**json.loads(data)) if data else Limits()


def set_limits(store: Store, scope: str, changes: dict[str, int | None], *, actor: str = "") -> Limits:
    """Change the named limits of a scope; None takes one away. Effective on every worker within a second.

    `actor` is who changes them; by default who owns the store.

    Raises:
        LuodiError: no such limit, or a value that is negative.
    """
    if scope != PROJECT and not scope.startswith(("key:", "team:")):
        raise LuodiError(f"there is no scope {scope!r}", "write project, key:ID or team:NAME")
    known = {f.name for f in fields(Limits)}
    for name, value in changes.items():
        if name not in known:
            raise LuodiError(f"there is no limit {name!r}", f"the limits are {', '.join(sorted(known))}")
        if value is not None and value < 0:
            raise LuodiError(f"{name} can't be {value}", "write 0 to refuse everything, or leave it out for no limit")
    with store.database.begin() as connection:
        row = connection.execute(select(table.c.data).where(table.c.scope == scope)).scalar()
        new = Limits(**(asdict(_parse(row)) | changes))
        connection.execute(delete(table).where(table.c.scope == scope))
        connection.execute(insert(table).values(scope=scope, data=json.dumps(asdict(new), sort_keys=True)))
        store.database.log(connection, actor or store.keys.owner(), "limits.set", scope, **asdict(new))
    return new


def all_limits(store: Store) -> dict[str, Limits]:
    with store.database.begin() as connection:
        rows: Any = connection.execute(select(table.c.scope, table.c.data).order_by(table.c.scope)).all()
    return {scope: _parse(data) for scope, data in rows}
