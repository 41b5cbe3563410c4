"""Who calls."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from luodi.gateway.call import Call, Next, Reply
from luodi.gateway.problem import Problem

if TYPE_CHECKING:
    from luodi.gateway.core import Gateway


class Authenticate:
    """Refuses a call without a key that is known, in force and not expired."""

    def __init__(self, gateway: Gateway) -> None:
        self._keys = gateway.keys

    async def __call__(self, call: Call, following: Next) -> Reply:
        if call.principal is None:
            if not call.secret:
                raise Problem(401, "authentication_error", "no API key was sent", code="missing_api_key")
            known, principal = self._keys.recall(call.secret)
            if not known:
                principal = await asyncio.to_thread(self._keys.find, call.secret)
            if principal is None:
                raise Problem(401, "authentication_error", "this API key is not valid", code="invalid_api_key")
            call.principal = principal
        return await following(call)
