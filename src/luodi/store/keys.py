"""Ed25519 keys: one signing key a store, and the public keys it trusts.

keys/signing.pem      the private key (mode 0600), made on first use
keys/trusted/*.pub    public keys whose signatures count: the store's own, and those an operator adds
keys/distrusted/      those that counted once
"""

from __future__ import annotations

import base64
import getpass
import socket
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from luodi.errors import IntegrityError, StoreError
from luodi.store.atomic import disk_errors, write_bytes
from luodi.store.digest import digest_bytes


@dataclass(frozen=True, slots=True)
class Signature:
    key_id: str
    signer: str
    signature: str  # base64 of the 64 bytes

    def as_dict(self) -> dict[str, str]:
        return {"keyid": self.key_id, "signer": self.signer, "sig": self.signature}


def _raw(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def key_id(key: Ed25519PublicKey) -> str:
    """The first 16 hex digits of the digest of the public key."""
    return digest_bytes(_raw(key))[:16]


def read_public(line: str) -> tuple[str, Ed25519PublicKey, str]:
    """Key id, key and owner of a line "ed25519 BASE64 OWNER". Raises: ValueError if it is none."""
    kind, raw, owner = line.strip().split(maxsplit=2)
    if kind != "ed25519":
        raise ValueError(kind)
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(raw, validate=True))
    return key_id(key), key, owner


class Keys:
    """The keys in one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def _signing_key(self) -> Ed25519PrivateKey:
        path = self.root / "signing.pem"
        if not path.exists():
            key = Ed25519PrivateKey.generate()
            pem = key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            with disk_errors(f"{self.root} could not be made"):
                self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.trust(key.public_key(), self._signer())  # first: a kill in between leaves no key that nobody trusts
            write_bytes(path, pem, mode=0o600)
        try:
            with disk_errors(f"{path} could not be read"):
                loaded = serialization.load_pem_private_key(path.read_bytes(), password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:  # TypeError: it has a password
            raise StoreError(f"{path} is not a private key in PEM form", "restore it from your backup") from error
        if not isinstance(loaded, Ed25519PrivateKey):
            raise StoreError(f"{path} is not an Ed25519 key")
        return loaded

    @staticmethod
    def _signer() -> str:
        try:
            user = getpass.getuser()
        except (KeyError, OSError):  # no such user in a bare container
            user = "unknown"
        return f"{user}@{socket.gethostname()}"

    def trust(self, key: Ed25519PublicKey, signer: str) -> Path:
        """Let signatures of `key` count."""
        path = self.root / "trusted" / f"{key_id(key)}.pub"
        text = f"ed25519 {base64.b64encode(_raw(key)).decode()} {' '.join(signer.split()) or 'unknown'}\n"
        write_bytes(path, text.encode())
        return path

    def distrust(self, name: str) -> str:
        """Let signatures of a trusted key count no more; returns its owner. The key is kept in keys/distrusted.

        Raises:
            StoreError: the key is not trusted, or is the store's own.
        """
        known = self.trusted().get(name)
        if known is None:
            there = ", ".join(f"{key} ({owner})" for key, (_, owner) in self.trusted().items())
            raise StoreError(f"key {name!r} is not trusted here", f"trusted are: {there}")
        if name == key_id(self._signing_key().public_key()):
            raise StoreError(
                f"{name} is this store's own key", "to sign with another, move keys/signing.pem away first"
            )
        path = self.root / "trusted" / f"{name}.pub"
        write_bytes(self.root / "distrusted" / path.name, path.read_bytes())
        path.unlink()
        return known[1]

    def trusted(self) -> dict[str, tuple[Ed25519PublicKey, str]]:
        """Trusted public keys and their owners by key id."""
        found = {}
        for path in sorted((self.root / "trusted").glob("*.pub")):
            try:
                name, key, owner = read_public(path.read_text("utf-8"))
            except ValueError as error:
                raise StoreError(f"{path} is not a public key", "it should hold: ed25519 BASE64 OWNER") from error
            found[name] = (key, owner)
        return found

    def public_text(self) -> str:
        """The store's own public key as a line that another store can trust."""
        public = self._signing_key().public_key()
        return (self.root / "trusted" / f"{key_id(public)}.pub").read_text()

    def owner(self) -> str:
        """Who signs with this store's key."""
        return self._signer()

    def sign(self, payload: bytes) -> Signature:
        key = self._signing_key()
        public = key.public_key()
        raw = base64.b64encode(key.sign(payload)).decode()
        return Signature(key_id(public), self._signer(), raw)

    def derive(self, purpose: str) -> bytes:
        """32 secret bytes for `purpose`, the same as long as the signing key is (HKDF-SHA256, RFC 5869)."""
        secret = self._signing_key().private_bytes_raw()
        return HKDF(hashes.SHA256(), 32, salt=None, info=b"luodi " + purpose.encode()).derive(secret)

    def verify(self, payload: bytes, signature: dict[str, str]) -> str:
        """Check a signature against the trusted keys and return the key's owner.

        Raises:
            IntegrityError: the key is not trusted, or the signature is not of this payload.
        """
        known = self.trusted().get(str(signature.get("keyid", "")))
        if known is None:
            raise IntegrityError(
                f"signed with key {signature.get('keyid')!r}, which this store does not trust",
                "if you know the signer: `luodi release trust FILE` puts their public key into keys/trusted",
            )
        key, owner = known
        try:
            key.verify(base64.b64decode(signature["sig"], validate=True), payload)
        except (InvalidSignature, ValueError, KeyError, TypeError) as error:
            raise IntegrityError("the signature does not match the content") from error
        return owner
