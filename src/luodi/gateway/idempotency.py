"""Idempotency-Key: the same request sent again is answered from what was kept, without another call or charge.

A key belongs to the caller's API key and is kept for a day. What is kept can only be read with the content of the
call's record, so whatever erases that content, by law or by policy, takes the response with it. Where content is not
kept at all, a repeat is refused: it was answered once, and is not charged twice.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from luodi.errors import LuodiError
from luodi.gateway.problem import Problem, invalid
from luodi.gateway.wire import PING, Send
from luodi.store import Store
from luodi.store.database import now_ms
from luodi.store.tx import Tx, tx_of

if TYPE_CHECKING:
    from luodi.gateway.call import Call
    from luodi.gateway.core import Gateway
    from luodi.gateway.surfaces import Surface

HEADER = "idempotency-key"
_KEPT_MS = 24 * 3_600_000
_LONGEST_CALL_MS = 3_600_000  # after which nobody is answering any more, whatever became of them
_LARGEST = 4 << 20  # bytes of a response that is kept
_log = logging.getLogger("luodi.gateway")
_NOT_REPLAYED = (b"x-ratelimit-", b"openai-processing-ms")
_CLAIM = "INSERT INTO idempotency (id, time_ms, asked, worker, record) VALUES (?,?,?,?,?) ON CONFLICT DO NOTHING"


class Idempotency:
    """Keeps responses of calls that carried the header."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._store: Store = gateway.store

    @asynccontextmanager
    async def once(
        self, key: str, call: Call, surface: Surface, path: str, body: bytes, send: Send
    ) -> AsyncGenerator[Send | None, None]:
        """What to send the response with; None if it was sent already, from what was kept.

        Raises:
            Problem: 422, the key came with another request before. 409, that request is being answered just now, or
                was, and its response is not kept.
        """
        if not key or len(key) > 255 or not key.isprintable():
            raise invalid("'Idempotency-Key' must have 1 to 255 printable characters", HEADER)
        known, principal = self._gateway.keys.recall(call.secret)
        if not known:
            principal = await asyncio.to_thread(self._gateway.keys.find, call.secret)
        if principal is None:  # the steps will refuse it, and write that down
            yield send
            return
        id_ = hashlib.sha256(f"{principal.key_id}\0{key}".encode()).hexdigest()
        asked = hashlib.sha256(path.encode() + b"\0" + body).hexdigest()
        kept = await asyncio.to_thread(self._claim, id_, asked, call.id, principal.key_id)
        if kept is not None:
            await _replay(kept, send)
            yield None
            return
        keeping = _Keeping(self, id_, call, surface, send)
        try:
            yield keeping.send
        finally:
            if not keeping.kept:
                await asyncio.shield(asyncio.to_thread(self._forget, id_))

    def _claim(self, id_: str, asked: str, record: str, key_id: str) -> bytes | None:
        """The response that is kept; None if the call is to be made. Raises: Problem 409 or 422."""
        now = now_ms()
        with self._store.database.begin() as connection:
            tx = tx_of(connection)
            _purge(tx, now)
            if tx.run(_CLAIM, (id_, now, asked, self._gateway.worker.id, record)):
                return None
            before, worker, answered, sealed, began = tx.all(
                "SELECT asked, worker, record, sealed, time_ms FROM idempotency WHERE id=?", (id_,)
            )[0]
            if before != asked:
                raise Problem(422, "invalid_request_error", "this Idempotency-Key came with another request before",
                              param=HEADER, code="idempotency_key_reused")  # fmt: skip
            if worker:
                lives = tx.all("SELECT 1 FROM workers WHERE id=?", (worker,)) and now - began < _LONGEST_CALL_MS
                if lives:
                    raise _busy()
                tx.run("UPDATE idempotency SET worker=?, record=?, time_ms=? WHERE id=?",
                       (self._gateway.worker.id, record, now, id_))  # fmt: skip
                return None
            content = tx.all("SELECT sealed FROM payloads WHERE id=?", (answered,))
            plain = _open(id_, bytes(sealed), bytes(content[0][0])) if sealed and content else None
            if plain is None:
                raise Problem(
                    409, "invalid_request_error",
                    "this request was answered before, and its answer is not kept; send another Idempotency-Key to "
                    "have it answered anew", param=HEADER, code="idempotency_not_kept",
                    headers=((b"x-should-retry", b"false"),),
                )  # fmt: skip
            self._store.database.log(connection, key_id, "call.replayed", answered)
            return plain

    def keep(self, id_: str, record: str, response: bytes) -> None:
        """Keep the response to a call whose record is written; only that it was answered, if no content is kept."""
        with self._store.database.begin() as connection:
            tx = tx_of(connection)
            content = tx.all("SELECT sealed FROM payloads WHERE id=?", (record,))
            sealed = None
            if content and len(response) <= _LARGEST:
                nonce = os.urandom(12)
                sealed = nonce + AESGCM(_key(bytes(content[0][0]))).encrypt(nonce, response, id_.encode())
            tx.run("UPDATE idempotency SET worker='', record=?, sealed=? WHERE id=? AND worker=?",
                   (record, sealed, id_, self._gateway.worker.id))  # fmt: skip

    def _forget(self, id_: str) -> None:
        with self._store.database.begin() as connection:
            tx_of(connection).run("DELETE FROM idempotency WHERE id=? AND worker=?", (id_, self._gateway.worker.id))


class _Keeping:
    """Sends a response on and gathers it; it is kept before its last part is sent, if nothing went wrong."""

    def __init__(self, idempotency: Idempotency, id_: str, call: Call, surface: Surface, send: Send) -> None:
        self._idempotency, self._id, self._call, self._surface, self._send = idempotency, id_, call, surface, send
        self._status = 0
        self._headers: list[list[str]] = []
        self._parts: list[bytes] = []
        self.kept = False

    async def send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._headers = [
                [k.decode("latin-1"), v.decode("latin-1")]
                for k, v in message["headers"]
                if not k.startswith(_NOT_REPLAYED)
            ]
        else:
            part = message.get("body", b"")
            if part and part != PING:
                self._parts.append(part)
            if not message.get("more_body") and self._status == 200 and not self._surface.failed:
                head = json.dumps({"status": self._status, "headers": self._headers}).encode()
                response = head + b"\n" + b"".join(self._parts)
                try:
                    await asyncio.to_thread(self._idempotency.keep, self._id, self._call.id, response)
                    self.kept = True
                except LuodiError as error:  # the answer is there all the same
                    _log.warning("a response could not be kept for its Idempotency-Key: %s", error.message)
        await self._send(message)


async def _replay(kept: bytes, send: Send) -> None:
    head, _, body = kept.partition(b"\n")
    about = json.loads(head)
    headers = [(k.encode("latin-1"), v.encode("latin-1")) for k, v in about["headers"]]
    headers.append((b"idempotent-replayed", b"true"))
    await send({"type": "http.response.start", "status": about["status"], "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _key(content: bytes) -> bytes:
    return hashlib.sha256(b"luodi idempotency\0" + content).digest()


def _open(id_: str, sealed: bytes, content: bytes) -> bytes | None:
    """None if the record's content was sealed anew since."""
    try:
        return AESGCM(_key(content)).decrypt(sealed[:12], sealed[12:], id_.encode())
    except InvalidTag:
        return None


def _purge(tx: Tx, now: int) -> None:
    tx.run("DELETE FROM idempotency WHERE time_ms < ?", (now - _KEPT_MS,))


def purge(store: Store) -> None:
    """Let go of what is older than a day."""
    with store.database.begin() as connection:
        _purge(tx_of(connection), now_ms())


def _busy() -> Problem:
    return Problem(
        409, "invalid_request_error", "a request with this Idempotency-Key is being answered; try again in 1 s",
        param=HEADER, code="idempotency_in_progress",
        headers=((b"retry-after", b"1"), (b"x-should-retry", b"true")),
    )  # fmt: skip
