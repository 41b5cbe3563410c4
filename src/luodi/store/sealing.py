"""Content at rest: AES-256-GCM under the store's payload keys, which rotate (`luodi audit rekey`).

sealed = 0x01, key number (4 bytes), nonce (12), ciphertext and tag, with the head and what the content is about as
associated data: bytes that are moved to another place do not open there.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag

from luodi.errors import IntegrityError
from luodi.store.audit.payload import PayloadKey, PayloadKeys
from luodi.store.entropy import take

if TYPE_CHECKING:
    from luodi.store import Store

HEAD, NONCE = 5, 12
_FRESH_S = 0.5  # a key that another process made is taken up after so long


class Sealing:
    """Seals with the newest key, opens with the key that a sealed value names."""

    def __init__(self, store: Store) -> None:
        self.keys = PayloadKeys(store.keys.root)
        self._key: PayloadKey | None = None
        self._looked = 0.0

    def seal(self, data: bytes, about: bytes) -> bytes:
        """`data`, sealed for the place that `about` names."""
        now = time.monotonic()
        if self._key is None or now - self._looked > _FRESH_S:
            self._key, self._looked = self.keys.current(), now
        return _seal(data, about, self._key)

    def open(self, sealed: bytes, about: bytes) -> bytes:
        """The data that was sealed.

        Raises:
            StoreError: its key is not there.
            IntegrityError: it was changed, or sealed for another place.
        """
        if len(sealed) < HEAD + NONCE + 16 or sealed[:1] != b"\1":
            raise IntegrityError("these bytes are no sealed content")
        head, nonce = sealed[:HEAD], sealed[HEAD : HEAD + NONCE]
        key = self.keys.get(int.from_bytes(head[1:], "big"))
        try:
            return key.cipher.decrypt(nonce, sealed[HEAD + NONCE :], head + about)
        except InvalidTag as error:
            raise IntegrityError("sealed content was changed, or sealed for another place") from error

    def again(self, sealed: bytes, about: bytes, key: PayloadKey) -> bytes:
        """The same data under another key. Raises: as `open`."""
        return _seal(self.open(sealed, about), about, key)


def _seal(data: bytes, about: bytes, key: PayloadKey) -> bytes:
    nonce = take(NONCE)
    return key.head + nonce + key.cipher.encrypt(nonce, data, key.head + about)
