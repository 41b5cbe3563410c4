"""The vault of a call: of the conversation that the caller names, or of this call alone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from luodi.errors import LuodiError
from luodi.gateway.problem import invalid
from luodi.guard.vault import Vault, Vaults
from luodi.store import Store
from luodi.store.tx import Tx
from luodi.store.vault import put

if TYPE_CHECKING:
    from luodi.gateway.call import Call
    from luodi.store.group import GroupWriter

HEADER = "x-luodi-conversation"
_LONGEST = 200
_log = logging.getLogger("luodi.gateway")


def conversation(said: str) -> str:
    """What a caller's `x-luodi-conversation` names. Raises: Problem."""
    if not said or len(said) > _LONGEST or not said.isprintable():
        raise invalid(f"'{HEADER}' must be 1 to {_LONGEST} printable characters", HEADER)
    return said


def owner_of(call: Call) -> str:
    """To whom alone values are given back: the caller's team, or the key where there is none."""
    who = call.principal
    if who is None:
        return ""
    return f"team:{who.team}" if who.team else f"key:{who.key_id}"


class Pseudonyms:
    """Opens vaults and keeps what is new in them.

    A chat sends its whole history with every call, so a call that names no conversation needs none that lasts: its
    vault is gone with it.
    """

    def __init__(self, store: Store, writer: GroupWriter, *, keep_s: float) -> None:
        self._vaults = Vaults(store, keep_s=keep_s)
        self._writer = writer

    async def open(self, call: Call) -> Vault:
        """The vault of a call. Raises: StoreError if that of its conversation cannot be read."""
        owner = owner_of(call)
        if not call.conversation or not owner:
            return Vault()
        return await asyncio.to_thread(self._vaults.open, owner, call.conversation)

    def keep(self, call: Call) -> None:
        """Write what is new, with the next group; nobody waits for it, since the call itself has the values."""
        owner = owner_of(call)
        if call.vault is None or not call.vault.fresh or not call.conversation or not owner:
            return
        rows = self._vaults.pending(call.vault, owner, call.conversation, call.subject)
        self._writer.put("vault", rows).add_done_callback(_told)

    def expire(self) -> int:
        """Erase values whose time is over."""
        return self._vaults.rows.expire()


def _told(done: asyncio.Future[Any]) -> None:
    if not done.cancelled() and isinstance(error := done.exception(), LuodiError):
        _log.error("values of a conversation could not be kept: %s", error.message)


def keep_rows(tx: Tx, items: Sequence[list[tuple[str, str, str, int, bytes]]]) -> list[None]:
    """The book of the group writer that keeps values."""
    put(tx, [row for rows in items for row in rows])
    return [None] * len(items)
