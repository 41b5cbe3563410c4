"""Keys of callers: shown once, stored as a digest, refused within a second of being revoked."""

from __future__ import annotations

import hashlib
import secrets
import time
from dataclasses import dataclass
from typing import Any, Literal, get_args

from sqlalchemy import delete, insert, or_, select, update

from luodi.errors import LuodiError
from luodi.gateway.events import emit
from luodi.gateway.ledger.limits import Scope, scopes_of
from luodi.store import Store, short_id
from luodi.store.database import now_ms
from luodi.store.migrations import key_secrets, keys

Role = Literal["admin", "operator", "reviewer", "auditor", "user"]
"""admin: everything. operator: releases, limits and keys. reviewer: decides what waits for a person. auditor: reads the
log. user: asks. Each may also do what `user` may."""
PREFIX = "luodi-"
_REMEMBERED_S = 0.5  # how long a key's state is taken from memory
_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls, and whose limits the call must keep."""

    key_id: str
    owner: str
    role: Role
    team: str = ""
    scopes: tuple[Scope, ...] = ()
    names: tuple[str, ...] = ()
    limited: tuple[Scope, ...] = ()  # those of the scopes that have limits

    @classmethod
    def of(cls, key_id: str, owner: str, role: Role, team: str, scopes: tuple[Scope, ...]) -> Principal:
        limited = tuple(s for s in scopes if s.limits)
        return cls(key_id, owner, role, team, scopes, tuple(s.name for s in scopes), limited)


LOCAL = Principal("local", "the person at this machine", "admin")


def _digest(secret: str) -> str:
    # Keys carry 192 random bits, so a plain digest can't be guessed back; nothing slower is needed on every call.
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


class ApiKeys:
    """Makes, lists, rotates, revokes and recognises keys."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._seen: dict[str, tuple[float, Principal | None]] = {}

    def create(
        self, owner: str, role: Role = "user", *, team: str = "", days: float | None = None, actor: str = ""
    ) -> tuple[str, str]:
        """A new key: (id, secret). The secret can't be had again.

        Raises:
            LuodiError: no such role, a team's name that is too long, or a lifetime that is not positive.
        """
        if role not in get_args(Role):
            raise LuodiError(f"there is no role {role!r}", f"the roles are {', '.join(get_args(Role))}")
        if days is not None and days <= 0:
            raise LuodiError(f"a key can't live for {days:g} days", "leave it out for a key that does not expire")
        if len(team.encode()) > 100 or len(owner) > 200:
            raise LuodiError("the name of a team has at most 100 bytes, that of an owner 200 letters")
        secret = PREFIX + secrets.token_urlsafe(24)
        key_id = short_id("key", _digest(secret))[:12]
        row = {
            "id": key_id, "owner": owner, "team": team, "role": role, "created_ms": now_ms(),
            "expires_ms": None if days is None else now_ms() + int(days * _DAY_MS), "revoked_ms": None,
        }  # fmt: skip
        with self._store.database.begin() as connection:
            connection.execute(insert(keys).values(**row))
            connection.execute(insert(key_secrets).values(secret_hash=_digest(secret), key_id=key_id))
            self._log(connection, actor, "key.made", key_id, owner=owner, role=role, team=team)
        return key_id, secret

    def rotate(self, key_id: str, *, overlap_s: float = 86_400, actor: str = "") -> str:
        """A new secret of a key; the old ones are good for `overlap_s` more.

        Raises:
            LuodiError: no such key, or it is revoked.
        """
        secret = PREFIX + secrets.token_urlsafe(24)
        until = now_ms() + int(max(0.0, overlap_s) * 1000)
        with self._store.database.begin() as connection:
            row = connection.execute(select(keys).where(keys.c.id == key_id)).one_or_none()
            if row is None or row.revoked_ms is not None:
                raise LuodiError(f"there is no key {key_id!r} in force", "`luodi key ls` lists them")
            connection.execute(
                update(key_secrets)
                .where(key_secrets.c.key_id == key_id)
                .where(or_(key_secrets.c.expires_ms.is_(None), key_secrets.c.expires_ms > until))
                .values(expires_ms=until)
            )
            connection.execute(delete(key_secrets).where(key_secrets.c.expires_ms < now_ms() - _DAY_MS))
            connection.execute(insert(key_secrets).values(secret_hash=_digest(secret), key_id=key_id))
            self._log(connection, actor, "key.rotated", key_id, overlap_s=int(overlap_s))
        return secret

    def forgiven(self, key_id: str, *, actor: str = "") -> None:
        """Write down that a key that was held back was let go on."""
        with self._store.database.begin() as connection:
            self._log(connection, actor, "key.forgiven", key_id)

    def revoke(self, key_id: str, *, actor: str = "", tell: bool = True) -> None:
        """Refuse a key from now on. `tell` says whether webhooks are told.

        Raises:
            LuodiError: there is no such key.
        """
        with self._store.database.begin() as connection:
            done = connection.execute(update(keys).where(keys.c.id == key_id).values(revoked_ms=now_ms()))
            if done.rowcount == 0:
                raise LuodiError(f"there is no key {key_id!r}", "`luodi key ls` lists them")
            self._log(connection, actor, "key.revoked", key_id)
            if tell:
                emit(connection, "key.revoked", {"key": key_id})

    def _log(self, connection: Any, actor: str, kind: str, key_id: str, **data: Any) -> None:
        self._store.database.log(connection, actor or self._store.keys.owner(), kind, key_id, **data)

    def all(self) -> list[dict[str, object]]:
        with self._store.database.begin() as connection:
            rows = connection.execute(select(keys).order_by(keys.c.created_ms)).mappings().all()
        return [dict(row) for row in rows]

    def find_id(self, prefix: str) -> str:
        """The id of the one key whose id starts with `prefix`. Raises: LuodiError if none or several do."""
        found = [str(k["id"]) for k in self.all() if str(k["id"]).startswith(prefix)] if prefix else []
        if len(found) != 1:
            raise LuodiError(
                f"there is no key {prefix!r}" if not found else f"several keys start with {prefix!r}",
                "`luodi key ls` lists them",
            )
        return found[0]

    def recall(self, secret: str) -> tuple[bool, Principal | None]:
        """(True, who) if the key was looked up a moment ago; no database is asked."""
        seen = self._seen.get(secret)
        if seen is None or time.monotonic() - seen[0] > _REMEMBERED_S:
            return False, None
        return True, seen[1]

    def find(self, secret: str) -> Principal | None:
        """Who holds this key; None if it is unknown, revoked or expired."""
        now = now_ms()
        principal = None
        with self._store.database.begin() as connection:
            row = connection.execute(
                select(keys, key_secrets.c.expires_ms.label("secret_expires_ms"))
                .join(key_secrets, key_secrets.c.key_id == keys.c.id)
                .where(key_secrets.c.secret_hash == _digest(secret))
            ).one_or_none()
            if (
                row is not None
                and row.revoked_ms is None
                and all(expires is None or expires > now for expires in (row.expires_ms, row.secret_expires_ms))
            ):
                principal = Principal.of(row.id, row.owner, row.role, row.team, scopes_of(connection, row.id, row.team))
        if len(self._seen) > 10_000:  # guesses must not fill the memory
            self._seen.clear()
        self._seen[secret] = (time.monotonic(), principal)
        return principal
