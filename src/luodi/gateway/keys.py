"""Keys of callers: shown once, stored as a digest, refused within a second of being revoked."""

from __future__ import annotations

import hashlib
import secrets
import time
from dataclasses import dataclass
from typing import Literal, get_args

from sqlalchemy import insert, select, update

from luodi.errors import LuodiError
from luodi.store import Store, short_id
from luodi.store.database import now_ms
from luodi.store.migrations import api_keys

Role = Literal["admin", "user"]
PREFIX = "luodi-"
_REMEMBERED_S = 0.5  # how long a key's state is taken from memory


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls."""

    key_id: str
    owner: str
    role: Role


LOCAL = Principal("local", "the person at this machine", "admin")


def _digest(secret: str) -> str:
    # Keys carry 192 random bits, so a plain digest can't be guessed back; nothing slower is needed on every call.
    return hashlib.sha256(secret.encode()).hexdigest()


class ApiKeys:
    """Makes, lists, revokes and recognises keys."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._seen: dict[str, tuple[float, Principal | None]] = {}

    def create(self, owner: str, role: Role = "user", *, days: float | None = None) -> tuple[str, str]:
        """A new key: (id, secret). The secret can't be had again.

        Raises:
            LuodiError: no such role, or a lifetime that is not positive.
        """
        if role not in get_args(Role):
            raise LuodiError(f"there is no role {role!r}", f"the roles are {', '.join(get_args(Role))}")
        if days is not None and days <= 0:
            raise LuodiError(f"a key can't live for {days:g} days", "leave it out for a key that does not expire")
        secret = PREFIX + secrets.token_urlsafe(24)
        key_id = short_id("key", _digest(secret))[:12]
        row = {
            "id": key_id, "secret_hash": _digest(secret), "owner": owner, "role": role, "created_ms": now_ms(),
            "expires_ms": None if days is None else now_ms() + int(days * 86_400_000), "revoked_ms": None,
        }  # fmt: skip
        with self._store.database.begin() as connection:
            connection.execute(insert(api_keys).values(**row))
            self._store.database.log(connection, self._store.keys.owner(), "key.made", key_id, owner=owner, role=role)
        return key_id, secret

    def revoke(self, key_id: str) -> None:
        """Raises: LuodiError if there is no such key."""
        with self._store.database.begin() as connection:
            done = connection.execute(update(api_keys).where(api_keys.c.id == key_id).values(revoked_ms=now_ms()))
            if done.rowcount == 0:
                raise LuodiError(f"there is no key {key_id!r}", "`luodi key ls` lists them")
            self._store.database.log(connection, self._store.keys.owner(), "key.revoked", key_id)

    def all(self) -> list[dict[str, object]]:
        with self._store.database.begin() as connection:
            rows = connection.execute(select(api_keys).order_by(api_keys.c.created_ms)).mappings().all()
        return [{k: v for k, v in row.items() if k != "secret_hash"} for row in rows]

    def recall(self, secret: str) -> tuple[bool, Principal | None]:
        """(True, who) if the key was looked up a moment ago; no database is asked."""
        seen = self._seen.get(_digest(secret))
        if seen is None or time.monotonic() - seen[0] > _REMEMBERED_S:
            return False, None
        return True, seen[1]

    def find(self, secret: str) -> Principal | None:
        """Who holds this key; None if it is unknown, revoked or expired."""
        digest = _digest(secret)
        with self._store.database.begin() as connection:
            row = connection.execute(select(api_keys).where(api_keys.c.secret_hash == digest)).one_or_none()
        principal = None
        if row is not None and row.revoked_ms is None and (row.expires_ms is None or row.expires_ms > now_ms()):
            principal = Principal(row.id, row.owner, row.role)
        if len(self._seen) > 10_000:  # guesses must not fill the memory
            self._seen.clear()
        self._seen[digest] = (time.monotonic(), principal)
        return principal
