"""Sessions: a random token in a cookie, of which only the digest is kept."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from dataclasses import dataclass
from hashlib import sha256

from luodi.errors import LuodiError
from luodi.gateway.admin.passwords import check_rules, hash_password, is_outdated, is_right
from luodi.gateway.admin.people import actor_of, plain_name
from luodi.gateway.keys import Role
from luodi.gateway.problem import Problem
from luodi.store import Store
from luodi.store.audit.reading import snapshot
from luodi.store.database import now_ms
from luodi.store.tx import Tx, tx_of

IDLE_MS = 30 * 60_000
LONGEST_MS = 12 * 3_600_000
TRIES = 5  # wrong passwords in a row until the name is locked
LOCK_MS = 15 * 60_000  # doubled with each wrong password after that
_LONGEST_LOCK_MS = 24 * 3_600_000
_TOUCH_MS = 60_000  # how exactly it is known when a session was last used
_TOLD_EVERY_S = 60.0
_log = logging.getLogger("luodi.gateway")


@dataclass(frozen=True, slots=True)
class Session:
    """Who has signed in, and until when without a further request (`idle_ms`) and at most (`expires_ms`)."""

    person: str
    name: str
    role: Role
    team: str
    token_hash: str
    idle_ms: int
    expires_ms: int


def _digest(token: str) -> str:
    # 256 random bits can't be guessed back from a plain digest.
    return sha256(token.encode("utf-8", "replace")).hexdigest()


class Sessions:
    """Signs people in and out; safe to use from several threads."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._untold = _Untold()

    def sign_in(self, name: str, password: str, *, client: str = "", old_token: str = "") -> tuple[str, Session]:
        """A new session: (token, session). The one that `old_token` names ends with it.

        It is not said whether the name, the password or a lock is the reason of a refusal, and each takes as long.

        Raises:
            Problem: 401, wrong name or password, disabled, or locked after too many wrong passwords.
        """
        try:
            name = plain_name(name)
        except LuodiError:
            name = ""
        with snapshot(self._store.database) as tx:
            found = tx.all("SELECT password FROM people WHERE name=?", (name,))
        hashed = str(found[0][0]) if found else None
        right = is_right(hashed, password)
        renewed = hash_password(password) if right and hashed and is_outdated(hashed) else None
        now, token = now_ms(), secrets.token_urlsafe(32)
        with self._store.database.begin() as connection:
            tx = tx_of(connection)
            # Locked for the transaction, so that guesses at the same time are counted one after another.
            tx.run("UPDATE people SET failed=failed WHERE name=?", (name,))
            rows = tx.all(
                "SELECT id, role, team, failed, locked_until_ms, disabled_ms, password FROM people WHERE name=?",
                (name,),
            )
            if not rows or rows[0][5] is not None or rows[0][4] > now or (right and rows[0][6] != hashed):
                refused = self._untold.take()
                if refused:
                    data = {"attempts": refused, "client": client, "why": "unknown, disabled or locked"}
                    self._store.database.log(connection, "", "session.refused", "", **data)
            elif right:
                person, role, team = rows[0][:3]
                session = Session(person, name, role, team, _digest(token), now + IDLE_MS, now + LONGEST_MS)
                _begin(tx, session, old_token, renewed, now)
                data = {"client": client}
                self._store.database.log(connection, actor_of(name), "session.began", actor_of(name), **data)
                return token, session
            else:
                failed = rows[0][3] + 1
                until = now + min(LOCK_MS << min(failed - TRIES, 10), _LONGEST_LOCK_MS) if failed >= TRIES else 0
                tx.run("UPDATE people SET failed=?, locked_until_ms=? WHERE name=?", (failed, until, name))
                about = {"failed": failed, "client": client} | ({"locked_until_ms": until} if until else {})
                self._store.database.log(connection, "", "session.refused", actor_of(name), **about)
        _log.warning("a sign-in was refused (from %s)", client or "here")
        raise refusal()

    def find(self, token: str) -> Session | None:
        """The session of a token that is in force; it is then in use for half an hour more."""
        if not token:
            return None
        now, digest = now_ms(), _digest(token)
        with snapshot(self._store.database) as tx:
            rows = tx.all(
                "SELECT p.id, p.name, p.role, p.team, s.seen_ms, s.expires_ms FROM sessions s"
                " JOIN people p ON p.id = s.person"
                " WHERE s.token_hash=? AND s.expires_ms>? AND s.seen_ms>? AND p.disabled_ms IS NULL",
                (digest, now, now - IDLE_MS),
            )
        if not rows:
            return None
        person, name, role, team, seen, expires = rows[0]
        if now - seen > _TOUCH_MS:
            with self._store.database.begin() as connection:
                tx_of(connection).run("UPDATE sessions SET seen_ms=? WHERE token_hash=?", (now, digest))
        return Session(person, name, role, team, digest, min(now + IDLE_MS, expires), expires)

    def end(self, session: Session) -> None:
        """Sign out."""
        with self._store.database.begin() as connection:
            done = tx_of(connection).run("DELETE FROM sessions WHERE token_hash=?", (session.token_hash,))
            if done:
                who = actor_of(session.name)
                self._store.database.log(connection, who, "session.ended", who)

    def change_password(self, session: Session, old: str, new: str, *, client: str = "") -> tuple[str, Session]:
        """A person's own new password. All sessions end; a new one begins.

        Raises:
            Problem: 401, the old password is wrong; it counts as a failed sign-in.
            LuodiError: the new one is not taken.
        """
        check_rules(new, session.name)
        token, fresh = self.sign_in(session.name, old, client=client)
        hashed = hash_password(new)
        with self._store.database.begin() as connection:
            tx = tx_of(connection)
            tx.run("UPDATE people SET password=? WHERE id=?", (hashed, session.person))
            tx.run("DELETE FROM sessions WHERE person=? AND token_hash<>?", (session.person, fresh.token_hash))
            who = actor_of(session.name)
            self._store.database.log(connection, who, "person.password", who)
        return token, fresh


def _begin(tx: Tx, session: Session, old_token: str, renewed: str | None, now: int) -> None:
    tx.run("DELETE FROM sessions WHERE expires_ms<? OR seen_ms<?", (now, now - IDLE_MS))
    if old_token:
        tx.run("DELETE FROM sessions WHERE token_hash=?", (_digest(old_token),))
    tx.run("UPDATE people SET failed=0, locked_until_ms=0 WHERE id=?", (session.person,))
    if renewed:
        tx.run("UPDATE people SET password=? WHERE id=?", (renewed, session.person))
    tx.run(
        "INSERT INTO sessions (token_hash, person, created_ms, seen_ms, expires_ms) VALUES (?,?,?,?,?)",
        (session.token_hash, session.person, now, now, session.expires_ms),
    )


def refusal() -> Problem:
    return Problem(
        401,
        "authentication_error",
        f"the name or the password is wrong, or there were {TRIES} wrong passwords in a row: then wait a while",
        code="wrong_password",
    )


class _Untold:
    """Attempts at names that are not there, or locked: the log is told of them once a minute, with their number.

    Names are left out: some people type their password there.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0
        self._told = -_TOLD_EVERY_S

    def take(self) -> int:
        """One more; how many are to be told of now, 0 if none."""
        with self._lock:
            self._count += 1
            now = time.monotonic()
            if now - self._told < _TOLD_EVERY_S:
                return 0
            self._told = now
            count, self._count = self._count, 0
            return count
