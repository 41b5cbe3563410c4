"""People who sign in: their names, roles and passwords."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import asdict, dataclass
from typing import Any, get_args

from luodi.errors import LuodiError
from luodi.gateway.admin.passwords import check_rules, hash_password
from luodi.gateway.keys import Role
from luodi.store import Store
from luodi.store.audit.reading import snapshot
from luodi.store.database import now_ms
from luodi.store.entropy import timed_id
from luodi.store.tx import Tx, tx_of

_NAME = re.compile(r"\w[\w.@+-]*( [\w.@+-]+)*")
_COLUMNS = "id, name, role, team, created_ms, disabled_ms, locked_until_ms"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may sign in; times are milliseconds since 1970."""

    id: str
    name: str
    role: Role
    team: str
    created_ms: int
    disabled_ms: int | None = None
    locked_until_ms: int = 0

    @property
    def state(self) -> str:
        if self.disabled_ms is not None:
            return "disabled"
        return "locked" if self.locked_until_ms > now_ms() else "in force"

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"state": self.state}


def actor_of(name: str) -> str:
    """How the log names a person; a key is named by its id."""
    return f"person:{name}"


def plain_name(name: str) -> str:
    """The one form of a name: in lower case, and composed. Raises: LuodiError if it is none."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    if not 1 <= len(plain) <= 100 or not _NAME.fullmatch(plain):
        raise LuodiError(f"{name!r} is no name to sign in with", "take letters, digits and . @ + - _, 100 at most")
    return plain


def check_role(role: str) -> None:
    """Raises: LuodiError naming the roles there are."""
    if role not in get_args(Role):
        raise LuodiError(f"there is no role {role!r}", f"the roles are {', '.join(get_args(Role))}")


def _check_team(team: str) -> None:
    if len(team.encode("utf-8", "replace")) > 100 or "\0" in team:
        raise LuodiError("the name of a team has at most 100 bytes")


class People:
    """Every change is a row in the log, in its transaction. `actor` is who makes it; by default who owns the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(self, name: str, role: str, password: str, *, team: str = "", actor: str = "") -> Person:
        """Raises: LuodiError at a name, role, team or password that is not taken, or a name that is there already."""
        name = plain_name(name)
        check_role(role)
        _check_team(team)
        check_rules(password, name)
        hashed = hash_password(password)
        now = now_ms()
        with self._store.database.begin() as connection:
            made = tx_of(connection).run(
                "INSERT INTO people (id, name, role, team, password, created_ms, failed, locked_until_ms)"
                " VALUES (?,?,?,?,?,?,0,0) ON CONFLICT (name) DO NOTHING",
                (timed_id("per"), name, role, team, hashed, now),
            )
            if not made:
                raise LuodiError(f"there is already a person {name!r}", "`luodi people ls` lists them")
            self._log(connection, actor, "person.added", name, role=role, team=team)
        return self.get(name)

    def all(self) -> list[Person]:
        with snapshot(self._store.database) as tx:
            return [Person(*row) for row in tx.all(f"SELECT {_COLUMNS} FROM people ORDER BY name")]  # noqa: S608

    def get(self, name: str) -> Person:
        """Raises: LuodiError if there is nobody of this name."""
        with snapshot(self._store.database) as tx:
            return _one(tx, plain_name(name))

    def change(
        self, name: str, *, role: str | None = None, team: str | None = None, disabled: bool | None = None,
        actor: str = "",
    ) -> Person:  # fmt: skip
        """Change what is named. A new role, disabling and enabling end the person's sessions at once.

        Enabling also lifts the lock that wrong passwords set.

        Raises:
            LuodiError: there is nobody of this name, or no such role.
        """
        name = plain_name(name)
        if role is not None:
            check_role(role)
        if team is not None:
            _check_team(team)
        with self._store.database.begin() as connection:
            tx = tx_of(connection)
            before = _one(tx, name)
            if role is not None and role != before.role:
                tx.run("UPDATE people SET role=? WHERE name=?", (role, name))
                self._end_sessions(tx, before.id)
                self._log(connection, actor, "person.role", name, role=role, before=before.role)
            if team is not None and team != before.team:
                tx.run("UPDATE people SET team=? WHERE name=?", (team, name))
                self._log(connection, actor, "person.team", name, team=team, before=before.team)
            if disabled is True and before.disabled_ms is None:
                tx.run("UPDATE people SET disabled_ms=? WHERE name=?", (now_ms(), name))
                self._end_sessions(tx, before.id)
                self._log(connection, actor, "person.disabled", name)
            if disabled is False:
                tx.run("UPDATE people SET disabled_ms=NULL, failed=0, locked_until_ms=0 WHERE name=?", (name,))
                self._end_sessions(tx, before.id)
                self._log(connection, actor, "person.enabled", name)
            return _one(tx, name)

    def set_password(self, name: str, password: str, *, actor: str = "") -> None:
        """A new password; all sessions end, and a lock is lifted. Raises: LuodiError as `add`."""
        name = plain_name(name)
        check_rules(password, name)
        hashed = hash_password(password)
        with self._store.database.begin() as connection:
            tx = tx_of(connection)
            person = _one(tx, name)
            tx.run("UPDATE people SET password=?, failed=0, locked_until_ms=0 WHERE name=?", (hashed, name))
            self._end_sessions(tx, person.id)
            self._log(connection, actor, "person.password", name)

    @staticmethod
    def _end_sessions(tx: Tx, person: str) -> None:
        tx.run("DELETE FROM sessions WHERE person=?", (person,))

    def _log(self, connection: Any, actor: str, kind: str, name: str, **data: Any) -> None:
        self._store.database.log(connection, actor or self._store.keys.owner(), kind, actor_of(name), **data)


def _one(tx: Tx, name: str) -> Person:
    found = tx.all(f"SELECT {_COLUMNS} FROM people WHERE name=?", (name,))  # noqa: S608
    if not found:
        raise LuodiError(f"there is no person {name!r}", "`luodi people ls` lists them")
    return Person(*found[0])
