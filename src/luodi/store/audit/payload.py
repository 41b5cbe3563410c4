"""Content beside the log: sealed, and bound to its row by a salted commitment that outlives it.

sealed = 0x01, key number (4 bytes), nonce (12), AES-256-GCM of (salt, content), with the head and the record's id as
associated data. commitment = SHA-256(salt (32 bytes), content). Without the salt nobody can try texts against the
commitment, so a row whose payload was erased tells nothing of it.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from luodi.errors import IntegrityError, StoreError
from luodi.store.atomic import disk_errors, sync_folder
from luodi.store.entropy import take
from luodi.store.tx import Tx

if TYPE_CHECKING:
    from luodi.store import Store

try:
    import orjson
except ModuleNotFoundError:
    orjson = None  # type: ignore[assignment]

_HEAD, _NONCE, _SALT = 5, 12, 32


class PayloadKey:
    """One master key: 256 bits and a number, which what it sealed carries."""

    def __init__(self, number: int, secret: bytes) -> None:
        self.number = number
        self.secret = secret
        self.head = b"\1" + number.to_bytes(4, "big")
        self.cipher = AESGCM(secret)


class PayloadRow(NamedTuple):
    """What `put` stores. `id` and `time_ms` are those of the log's row; `subject` is whose content it is."""

    id: str
    time_ms: int
    subject: str
    sealed: bytes


class PayloadKeys:
    """The master keys in the store's keys folder: payload-N.key, mode 0600. The highest number is in use."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._seen_ns = -1
        self._keys: dict[int, PayloadKey] = {}

    def _path(self, number: int) -> Path:
        return self.root / f"payload-{number}.key"

    def numbers(self) -> list[int]:
        found = (p.stem.removeprefix("payload-") for p in self.root.glob("payload-*.key"))
        return sorted(int(n) for n in found if n.isdecimal())

    def current(self) -> PayloadKey:
        """The newest key, also one that another process has just made; the first is made here."""
        try:
            changed = os.stat(self.root).st_mtime_ns  # noqa: PTH116 - once a call: half the time of Path.stat
        except FileNotFoundError:
            changed = -1
        if changed == self._seen_ns and self._keys:
            return self._keys[max(self._keys)]
        numbers = self.numbers()
        if not numbers:
            return self.rotate()
        self._keys = {n: k for n, k in self._keys.items() if n in numbers}
        newest = self.get(numbers[-1])
        if time.time_ns() - changed > 100_000_000:  # what changes within one tick of the clock has one time
            self._seen_ns = changed
        return newest

    def get(self, number: int) -> PayloadKey:
        """Raises: StoreError if there is no such key."""
        if number not in self._keys:
            path = self._path(number)
            try:
                with disk_errors(f"{path} could not be read"):
                    secret = path.read_bytes()
            except FileNotFoundError as error:
                raise StoreError(
                    f"the key {path.name} is not in {self.root}", "restore it from a backup: it opens content"
                ) from error
            if len(secret) != 32:
                raise StoreError(f"{path} is no key of 32 bytes", "restore it from a backup")
            self._keys[number] = PayloadKey(number, secret)
        return self._keys[number]

    def rotate(self) -> PayloadKey:
        """Make a new key; from now on it seals. Older ones still open what they sealed."""
        with disk_errors(f"a key could not be made in {self.root}"):
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
            number = max(self.numbers(), default=0) + 1
            temporary = self.root / f".{secrets.token_hex(6)}.tmp"
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                os.write(handle, secrets.token_bytes(32))
                os.fsync(handle)
            finally:
                os.close(handle)
            try:
                os.link(temporary, self._path(number))  # never over a key that another process made meanwhile
            except FileExistsError:
                pass
            finally:
                temporary.unlink()
            sync_folder(self.root)
        return self.get(number)

    def age_s(self, number: int) -> float:
        """Seconds since a key was made."""
        return time.time() - self._path(number).stat().st_mtime

    def remove(self, number: int) -> None:
        self._path(number).unlink(missing_ok=True)
        sync_folder(self.root)
        self._keys.pop(number, None)


def _bytes(payload: dict[str, Any]) -> bytes:
    if orjson is not None:
        try:
            return orjson.dumps(payload, option=orjson.OPT_SORT_KEYS)
        except TypeError:
            pass  # what it does not take: half surrogates, integers of more than 64 bits
    return json.dumps(payload, sort_keys=True, separators=(",", ":")).encode()


def seal(record: str, payload: dict[str, Any], key: PayloadKey) -> tuple[str, bytes]:
    """Commitment (64 hex digits; goes into the row's body as `content`) and sealed bytes of a record's content."""
    data = _bytes(payload)
    random = take(_SALT + _NONCE)
    salt, nonce = random[:_SALT], random[_SALT:]
    plain = salt + data
    sealed = key.cipher.encrypt(nonce, plain, key.head + record.encode())
    return sha256(plain).hexdigest(), key.head + nonce + sealed


class Sealer:
    """Seals with the store's newest key, at whatever time that was made."""

    def __init__(self, store: Store) -> None:
        self._keys = PayloadKeys(store.keys.root)
        self._key: PayloadKey | None = None
        self._looked = 0.0

    def seal(self, record: str, payload: dict[str, Any]) -> tuple[str, bytes]:
        """Commitment and sealed bytes; see `seal`. A new key is taken up within half a second."""
        now = time.monotonic()
        if self._key is None or now - self._looked > 0.5:
            self._key, self._looked = self._keys.current(), now
        return seal(record, payload, self._key)


def _plain(record: str, sealed: bytes, keys: PayloadKeys) -> bytes:
    head, nonce = sealed[:_HEAD], sealed[_HEAD : _HEAD + _NONCE]
    if len(sealed) < _HEAD + _NONCE + _SALT + 16 or head[:1] != b"\1":
        raise IntegrityError(f"the content of {record} is no sealed content")
    key = keys.get(int.from_bytes(head[1:], "big"))
    try:
        return key.cipher.decrypt(nonce, sealed[_HEAD + _NONCE :], head + record.encode())
    except InvalidTag as error:
        raise IntegrityError(f"the content of {record} was changed, or sealed for another record") from error


def unseal(record: str, sealed: bytes, keys: PayloadKeys) -> tuple[str, bytes]:
    """Commitment and content of sealed bytes.

    Raises:
        StoreError: the key is not there.
        IntegrityError: these bytes were not sealed for this record, or have been changed.
    """
    plain = _plain(record, sealed, keys)
    return sha256(plain).hexdigest(), plain[_SALT:]


def seal_again(record: str, sealed: bytes, keys: PayloadKeys, key: PayloadKey) -> bytes:
    """The same salt and content under another key, so that the commitment stays. Raises: as `unseal`."""
    nonce = os.urandom(_NONCE)
    return key.head + nonce + key.cipher.encrypt(nonce, _plain(record, sealed, keys), key.head + record.encode())


def put(tx: Tx, rows: Sequence[PayloadRow]) -> None:
    """Store sealed content, in the transaction of the rows that it belongs to."""
    tx.many("INSERT INTO payloads (id, time_ms, subject, sealed) VALUES (?, ?, ?, ?)", rows)
