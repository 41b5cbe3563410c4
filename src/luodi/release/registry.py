"""The registry: releases by name, version and channel, in the store's database."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, delete, insert, select, update

from luodi.errors import ReleaseError
from luodi.store import Store
from luodi.store.database import now_ms
from luodi.store.migrations import channels, flags, releases, revocations

Channel = Literal["candidate", "canary", "live", "previous"]
CHANNELS: tuple[Channel, ...] = ("candidate", "canary", "live", "previous")


@dataclass(frozen=True, slots=True)
class Release:
    """One version of a release.

    Attributes:
        digest: of its bundle in the store.
        revoked: why it must not be served any more; "" of most.
        flags: what is to be known of it, "KIND: NOTE".
    """

    name: str
    version: int
    digest: str
    verdict: str
    time_ms: int
    channels: tuple[str, ...] = ()
    revoked: str = ""
    flags: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


class Registry:
    """Reads and moves releases. Every move is one transaction with its row in the event log."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def all(self, name: str = "") -> list[Release]:
        """Every release whose bundle is in the store, newest first."""
        with self.store.database.begin() as connection:
            return self._all(connection, name)

    def _all(self, connection: Connection, name: str) -> list[Release]:
        where = [releases.c.name == name] if name else []
        rows = connection.execute(
            select(releases).where(*where).order_by(releases.c.name, releases.c.version.desc())
        ).all()
        at: dict[tuple[str, int], list[str]] = {}
        for row in connection.execute(select(channels)).all():
            at.setdefault((row.name, row.version), []).append(row.channel)
        revoked = {r.digest: r.reason for r in connection.execute(select(revocations)).all()}
        flagged: dict[str, list[str]] = {}
        for row in connection.execute(select(flags).order_by(flags.c.time_ms)).all():
            flagged.setdefault(row.digest, []).append(f"{row.kind}: {row.note}")
        return [
            Release(
                r.name, r.version, r.digest, r.verdict, r.time_ms, tuple(sorted(at.get((r.name, r.version), []))),
                revoked.get(r.digest, ""), tuple(flagged.get(r.digest, ())),
            )
            for r in rows
            if r.digest in self.store.artifacts  # a kill can leave a row whose bundle was never stored
        ]  # fmt: skip

    def find(self, reference: str) -> Release:
        """A release by NAME@VERSION, NAME@CHANNEL, or NAME (live, or else the newest candidate).

        Raises:
            ReleaseError: there is none; the message lists what there is.
        """
        name, _, which = reference.partition("@")
        known = self.all(name)
        if not which:
            for channel in ("live", "candidate"):
                found = [r for r in known if channel in r.channels]
                if found:
                    return found[0]
        for release in known:
            if which in (str(release.version), *release.channels):
                return release
        if not known:
            raise ReleaseError(
                f"there is no release {reference!r}", "`luodi run` makes one; `luodi release ls` lists them"
            )
        there = ", ".join(f"{r}{' (' + ', '.join(r.channels) + ')' if r.channels else ''}" for r in known[:8])
        blocked = f"; {known[0]} has the verdict {known[0].verdict!r}" if known[0].verdict != "pass" else ""
        raise ReleaseError(f"there is no release {reference!r}; there are {there}{blocked}", "name one of these")

    def next_version(self, name: str) -> int:
        """The version that the next release of `name` gets. A number whose bundle was never stored is used again."""
        with self.store.database.begin() as connection:
            known = self._all(connection, name)
        return max((r.version for r in known), default=0) + 1

    def register(
        self, name: str, version: int, digest: str, verdict: str, actor: str, *, brought_from: str = ""
    ) -> None:
        """Enter a release; one that passed becomes the candidate.

        Args:
            brought_from: who signed it, if it was made in another store.

        Raises:
            ReleaseError: there is another release of this name and version.
        """
        with self.store.database.begin() as connection:
            there = [r for r in self._all(connection, name) if r.version == version and r.digest != digest]
            if there:
                hint = "`luodi run` again: the next version is then taken"
                if brought_from:
                    hint = "two stores made different releases of this name and version; only one can be kept here"
                raise ReleaseError(f"{there[0]} is already there", hint)
            connection.execute(delete(channels).where(channels.c.name == name, channels.c.version == version))
            connection.execute(delete(releases).where(releases.c.name == name, releases.c.version == version))
            row = {"name": name, "version": version, "digest": digest, "verdict": verdict, "time_ms": now_ms()}
            connection.execute(insert(releases).values(**row))
            if verdict == "pass":
                self._set(connection, name, "candidate", version)
            about = {"digest": digest, "verdict": verdict} | ({"signer": brought_from} if brought_from else {})
            kind = "release.brought" if brought_from else "release.made"
            self.store.database.log(connection, actor, kind, f"{name}@{version}", **about)

    def move(self, release: Release, channel: Channel, actor: str) -> None:
        """Put a release on a channel. The one that was live becomes `previous`.

        Raises:
            ReleaseError: the release did not pass its gates.
        """
        with self.store.database.begin() as connection:
            self.move_in(connection, release, channel, actor)

    def move_in(self, connection: Connection, release: Release, channel: Channel, actor: str) -> None:
        """`move`, in somebody's transaction."""
        if release.verdict != "pass":
            raise ReleaseError(
                f"{release} can't be promoted: its gates say {release.verdict!r}",
                f"`luodi release show {release}` says why",
            )
        reason = self._revoked(connection, release.digest)
        if reason is not None:
            raise ReleaseError(f"{release} is revoked: {reason}", "promote another release")
        if channel == "live":
            live = self._on(connection, release.name, "live")
            if live == release.version:
                return
            if live is not None:
                self._set(connection, release.name, "previous", live)
        self._set(connection, release.name, channel, release.version)
        self.store.database.log(connection, actor, f"release.{channel}", str(release))

    def clear_in(self, connection: Connection, name: str, channel: Channel) -> None:
        """Leave a channel empty, in somebody's transaction."""
        connection.execute(delete(channels).where(channels.c.name == name, channels.c.channel == channel))

    def live_in(self, connection: Connection, name: str) -> int | None:
        """The version that is live; None if none is."""
        return self._on(connection, name, "live")

    def revoke(self, release: Release, reason: str, actor: str) -> None:
        """Let a release never be served again, on no channel, under no name; this can't be undone.

        Raises:
            ReleaseError: no reason is given, or it is revoked already.
        """
        if not reason.strip():
            raise ReleaseError("a revocation needs a reason", 'give --reason "…"; it stays in the log')
        with self.store.database.begin() as connection:
            if (before := self._revoked(connection, release.digest)) is not None:
                raise ReleaseError(f"{release} is revoked already: {before}")
            row = {"digest": release.digest, "time_ms": now_ms(), "actor": actor, "reason": reason.strip()}
            connection.execute(insert(revocations).values(**row))
            where = (channels.c.name == release.name, channels.c.version == release.version)
            connection.execute(delete(channels).where(*where))
            self.store.database.log(connection, actor, "release.revoked", str(release), reason=reason.strip())

    def flag(self, release: Release, kind: str, note: str, actor: str) -> None:
        """Let something be known of a release. The same is said once."""
        if f"{kind}: {note}" in release.flags:
            return
        with self.store.database.begin() as connection:
            row = {"digest": release.digest, "time_ms": now_ms(), "kind": kind, "note": note}
            connection.execute(insert(flags).values(**row))
            self.store.database.log(connection, actor, "release.flagged", str(release), flag=kind, note=note)

    def revoked_in(self, connection: Connection, digests: Collection[str]) -> dict[str, str]:
        """Which of some releases are revoked, by digest, and why."""
        found = connection.execute(select(revocations).where(revocations.c.digest.in_(digests))).all()
        return {row.digest: row.reason for row in found}

    def _revoked(self, connection: Connection, digest: str) -> str | None:
        return self.revoked_in(connection, [digest]).get(digest)

    def rollback(
        self, name: str, actor: str, tell: Callable[[Connection, str, dict[str, str]], object] = lambda *_: None
    ) -> tuple[Release, Release]:
        """Make the previous release live again; returns (now live, was live).

        Args:
            tell: is told of it, inside the transaction that does it.

        Raises:
            ReleaseError: there is nothing to go back to.
        """
        known = {r.version: r for r in self.all(name)}
        with self.store.database.begin() as connection:
            live, previous = self._on(connection, name, "live"), self._on(connection, name, "previous")
            if live is None or previous is None or previous not in known:  # the bundle of `live` may be gone
                raise ReleaseError(
                    f"{name} has no previous release to go back to", "`luodi release ls` lists releases and channels"
                )
            row = connection.execute(select(releases).where(releases.c.name == name, releases.c.version == live)).one()
            was = Release(name, live, row.digest, row.verdict, row.time_ms)
            self._set(connection, name, "live", previous)
            self._set(connection, name, "previous", live)
            self.store.database.log(connection, actor, "release.rollback", f"{name}@{previous}", was=live)
            told = {"release": f"{name}@{live}", "to": f"{name}@{previous}", "reason": f"rolled back by {actor}"}
            tell(connection, "release.rolled_back", told)
        return known[previous], known.get(live) or was

    @staticmethod
    def _on(connection: Connection, name: str, channel: str) -> int | None:
        where = (channels.c.name == name, channels.c.channel == channel)
        return connection.execute(select(channels.c.version).where(*where)).scalar_one_or_none()

    @staticmethod
    def _set(connection: Connection, name: str, channel: str, version: int) -> None:
        where = (channels.c.name == name, channels.c.channel == channel)
        values = {"version": version, "time_ms": now_ms()}
        if connection.execute(update(channels).where(*where).values(**values)).rowcount == 0:
            connection.execute(insert(channels).values(name=name, channel=channel, **values))
