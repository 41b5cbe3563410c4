"""Checkpoints as signed notes: C2SP signed-note and tlog-checkpoint, with Ed25519.

luodi/log/9f2c…                     origin: which log (from its first leaf)
20852                               rows
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2…   root, base64

— luodi/log/9f2c… Az3grlgtzPICa5OS8npVmf1M…   base64 of key hash (4 bytes) and signature (64 bytes)
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from luodi.errors import IntegrityError

if TYPE_CHECKING:
    from luodi.store.keys import Keys

_MARK = "\N{EM DASH} "
_MOST = 64 * 1024  # characters of a note
TrustedKeys = Mapping[str, tuple[Ed25519PublicKey, str]]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The head of a log: `root` over its first `size` rows."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """What is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A note as read, not yet verified. Signatures are (name, key hash, signature)."""

    checkpoint: Checkpoint
    text: str
    signatures: tuple[tuple[str, bytes, bytes], ...]


def origin_of(first_leaf: bytes) -> str:
    """The name of the log that begins with this leaf."""
    return f"luodi/log/{first_leaf.hex()[:32]}"


def key_hash(name: str, key: Ed25519PublicKey) -> bytes:
    """The first four bytes of SHA-256(name, newline, 0x01, public key)."""
    return sha256(name.encode() + b"\n\x01" + key.public_bytes_raw()).digest()[:4]


def sign(checkpoint: Checkpoint, keys: Keys) -> str:
    """The signed note, with the store's key under the name of the log's origin."""
    signature = keys.sign(checkpoint.text.encode())
    public = keys.trusted()[signature.key_id][0]
    raw = key_hash(checkpoint.origin, public) + base64.b64decode(signature.signature)
    return f"{checkpoint.text}\n{_MARK}{checkpoint.origin} {base64.b64encode(raw).decode()}\n"


def parse(note: str) -> Note:
    """Read a note.

    Raises:
        IntegrityError: it is no checkpoint in the form of a signed note.
    """
    text, blank, tail = note.rpartition("\n\n")
    lines = text.split("\n")
    if not blank or not tail.endswith("\n") or len(note) > _MOST or any(c < " " and c != "\n" for c in note):
        raise _bad("no signed note")
    if len(lines) < 3 or "" in lines:
        raise _bad("no origin, size and root")
    origin, size, root = lines[:3]
    if not size.isascii() or not size.isdecimal() or str(int(size[:20])) != size:
        raise _bad(f"the size {size[:40]!r}")
    checkpoint = Checkpoint(origin, int(size), _decoded(root, "root", 32))
    return Note(checkpoint, text + "\n", tuple(_signature(line) for line in tail.removesuffix("\n").split("\n")))


def _signature(line: str) -> tuple[str, bytes, bytes]:
    name, _, raw = line.removeprefix(_MARK).partition(" ")
    if not line.startswith(_MARK) or not name or "+" in name or not raw:
        raise _bad(f"the signature line {line[:60]!r}")
    both = _decoded(raw, "signature", 0)
    if len(both) < 5:
        raise _bad(f"a signature of {len(both)} bytes")
    return name, both[:4], both[4:]


def _decoded(text: str, what: str, length: int) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error) as error:
        raise _bad(f"a {what} that is no base64") from error
    if length and len(raw) != length:
        raise _bad(f"a {what} of {len(raw)} bytes")
    return raw


def _bad(what: str) -> IntegrityError:
    return IntegrityError(f"not a checkpoint: {what}", "it should be a note of origin, size, root and signature")


def signer_of(note: Note, trusted: TrustedKeys) -> str:
    """Verify a note against trusted keys and return the owner of the key that signed it.

    Raises:
        IntegrityError: no trusted key signed it, or one whose name and hash it bears did not.
    """
    owner = ""
    for name, short, signature in note.signatures:
        for key, who in trusted.values():
            if key_hash(name, key) != short or name != note.checkpoint.origin:
                continue  # somebody else's: the specification says to ignore it
            try:
                key.verify(signature, note.text.encode())
            except InvalidSignature as error:
                raise IntegrityError("the signature does not match the checkpoint") from error
            owner = owner or who
    if not owner:
        raise IntegrityError(
            "the checkpoint is not signed by a key that is trusted",
            "if you know the signer, put their public key into keys/trusted",
        )
    return owner
