"""Which release serves a call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luodi.gateway.call import Call, Next, Reply

if TYPE_CHECKING:
    from luodi.gateway.core import Gateway


class Choose:
    """The live release, or the one that an experiment gives this caller."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def __call__(self, call: Call, following: Next) -> Reply:
        call.served = self._gateway.release_for(call)
        return await following(call)
