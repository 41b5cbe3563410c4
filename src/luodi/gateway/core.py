"""The gateway: one call in, one reply out, through one list of steps."""

from __future__ import annotations

import secrets

from luodi.engine import Message, Sampling
from luodi.gateway.call import Call, Reply
from luodi.gateway.keys import ApiKeys, Principal
from luodi.gateway.problem import has_half, invalid
from luodi.gateway.records import Recorder
from luodi.gateway.served import Served
from luodi.gateway.steps import chain, steps
from luodi.knowledge import language_of
from luodi.store import Store


class Gateway:
    """Serves one release. Close it to write the last records and stop the engine."""

    def __init__(self, served: Served, store: Store) -> None:
        self.served = served
        self.store = store
        self.keys = ApiKeys(store)
        self.recorder = Recorder(store)
        self._run = chain(steps(self))

    def call(
        self,
        messages: tuple[Message, ...],
        sampling: Sampling,
        *,
        surface: str,
        model: str = "",
        secret: str = "",
        principal: Principal | None = None,
    ) -> Call:
        """A call to be handled. The question is what the user said last.

        Raises:
            Problem: there is nothing to answer.
        """
        if not messages or messages[-1].role != "user" or not messages[-1].content.strip():
            raise invalid("the last message must be the user's and must not be empty", "messages")
        question = messages[-1].content
        if has_half(question):
            raise invalid("the question holds bytes that are not UTF-8, or half of a surrogate pair", "messages")
        return Call(
            id=f"rec_{secrets.token_hex(12)}",
            surface=surface,
            model=model,
            messages=messages,
            sampling=sampling,
            secret=secret,
            principal=principal,
            question=question,
            language=language_of(question),
        )

    async def handle(self, call: Call) -> Reply:
        """Raises: Problem if the call is refused before there is any text."""
        return await self._run(call)

    def close(self) -> None:
        self.recorder.close()
        self.served.close()
