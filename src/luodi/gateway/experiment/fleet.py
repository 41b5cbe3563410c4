"""The releases that are open in this worker, and which of them a caller is given."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from luodi.errors import LuodiError
from luodi.gateway.call import Call
from luodi.gateway.experiment.plan import Plan, running, save
from luodi.gateway.ledger.limits import Scope, scopes_of
from luodi.store import Store
from luodi.store.tx import tx_of

if TYPE_CHECKING:
    from luodi.gateway.served import Served

_log = logging.getLogger("luodi.gateway")
_AGAIN_S = 60.0
Opener = Callable[[str], "Served"]
"""Opens NAME@VERSION. Raises: LuodiError if it does not verify or can't be opened."""


class Fleet:
    """One release that is live here, and those of experiments.

    Args:
        opener: opens another release; without one there are no experiments and nothing is followed.
        follow: whether a release that becomes live in the registry is served from then on.
    """

    def __init__(self, live: Served, store: Store, opener: Opener | None = None, *, follow: bool = False) -> None:
        self.live = live
        self.changed: Callable[[Served], None] = lambda served: None
        self._store, self._opener, self._follow = store, opener, follow
        self._open: dict[str, Served] = {live.release: live}
        self._leaving: list[Served] = []
        self.shadow_scopes: tuple[Scope, ...] = ()
        self.running = False  # whether an experiment of this name runs, served here or not
        self._split: Plan | None = None
        self._shadow: Plan | None = None
        self.revoked: dict[str, str] = {}  # digests of open releases that are served no more, and why
        self._refused: dict[str, float] = {}  # releases that could not be opened, and when they are tried again

    def choose(self, call: Call) -> Served:
        """The release that serves a call. A release that is asked for by its version is no experiment."""
        pinned = self._open.get(call.model)
        if pinned is not None and pinned is not self.live:
            return pinned
        plan = self._split
        if plan is None or call.task == "tool" or (call.task == "answer" and "@" in call.model):
            return self.live
        arm = arm_of(plan, who(call))
        served = self._open.get(arm)
        if served is None:  # it could not be opened here
            return self.live
        call.experiment = {"id": plan.id, "arm": arm, "stage": plan.stage}
        return served

    def shadows(self, call: Call) -> tuple[Plan, Served] | None:
        """The release that answers a copy of a call, unseen."""
        plan = self._shadow
        if plan is None or call.task == "tool":  # what a tool does must not be done twice
            return None
        if call.served is not self.live:  # it is the live release that a shadow is compared with
            return None
        release, share = plan.arms[0]
        served = self._open.get(release)
        if served is None or share_of(plan.id, call.id) >= share:
            return None
        return plan, served

    @property
    def busy(self) -> bool:
        """Whether an experiment changes what callers are given here."""
        return self._split is not None or self._shadow is not None

    def names(self) -> list[str]:
        """Releases that may be asked for by version."""
        return list(self._open)

    async def turn(self) -> None:
        """Follow the registry and the experiments; open what is needed and close what nobody uses."""
        self.revoked = await asyncio.to_thread(self._revocations)
        if self._opener is not None:
            live, found, scopes = await asyncio.to_thread(self._wanted)
            self.shadow_scopes, self.running = scopes, bool(found)
            if live != self.live.release:
                served = await self._get(live)
                if served is not None:
                    _log.warning("%s is live now; it was %s", live, self.live.release)
                    self.live = served
                    self.changed(served)
            plans = [p for p in found if p.base == self.live.release]
            for plan in plans:
                for arm, _ in plan.arms:
                    if arm not in self._open and await self._get(arm) is None:
                        await asyncio.to_thread(self._fail, plan, f"{arm} could not be opened")
            self._split = next((p for p in plans if p.kind != "shadow"), None)
            self._shadow = next((p for p in plans if p.kind == "shadow"), None)
            wanted = {self.live.release, *(arm for p in plans for arm, _ in p.arms)}
            for release in [r for r in self._open if r not in wanted]:
                self._leaving.append(self._open.pop(release))
        for served in [s for s in self._leaving if not s.users]:
            self._leaving.remove(served)
            await served.close()

    def _revocations(self) -> dict[str, str]:
        from luodi.release import Registry
        from luodi.release.verify import expired

        with self._store.database.begin() as connection:
            served = list(self._open.values())
            found = {s.digest: f"expired on {day}" for s in served if (day := expired(s.passport))}
            found |= Registry(self._store).revoked_in(connection, [s.digest for s in served])
        for digest in found.keys() - self.revoked.keys():
            _log.error("a release is served here no more: %s %s", digest[:12], found[digest])
        return found

    def _wanted(self) -> tuple[str, list[Plan], tuple[Scope, ...]]:
        from luodi.release import Registry

        name = self.live.name
        with self._store.database.begin() as connection:
            version = Registry(self._store).live_in(connection, name) if self._follow else None
            plans = [p for p in running(tx_of(connection)) if p.name == name]
            scopes = scopes_of(connection, "shadow", "")
        return f"{name}@{version}" if version is not None else self.live.release, plans, scopes

    async def _get(self, release: str) -> Served | None:
        if release not in self._open:
            assert self._opener is not None
            if time.monotonic() < self._refused.get(release, 0.0):
                return None
            try:
                self._open[release] = await asyncio.to_thread(self._opener, release)
            except LuodiError as error:  # to verify it is work: not every second
                self._refused[release] = time.monotonic() + _AGAIN_S
                _log.error("%s can't be served: %s", release, error.message)
                return None
        return self._open[release]

    def _fail(self, plan: Plan, reason: str) -> None:
        with self._store.database.begin() as connection:
            if save(tx_of(connection), plan, state="failed", reason=reason) is not None:
                self._store.database.log(connection, "luodi serve", "experiment.failed", plan.id, reason=reason)

    async def close(self) -> None:
        for served in [*self._open.values(), *self._leaving]:
            await served.close()


def who(call: Call) -> str:
    """Whom an experiment sticks to: the user that the caller names, or else the conversation."""
    if call.user:
        return f"user:{call.user}"
    first = next((m.content for m in call.messages if m.role == "user"), "")
    return f"{call.principal.key_id if call.principal else ''}:{first}"


def share_of(experiment: str, whose: str) -> float:
    """A place between 0 and 1 that is the same every time."""
    digest = hashlib.blake2b(f"{experiment}\0{whose}".encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def arm_of(plan: Plan, whose: str) -> str:
    """The release for somebody. As a canary's share grows, who has it already keeps it."""
    place = share_of(plan.id, whose)
    for release, share in plan.arms:
        place -= plan.share if plan.kind == "canary" else share
        if place < 0:
            return release
    return plan.base
