from __future__ import annotations

import base64
import getpass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from luodi.errors import IntegrityError, StoreError
from luodi.store.keys import Keys


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path / "keys")


def test_signature_of_the_payload_counts(keys: Keys) -> None:
    signature = keys.sign(b"payload")
    assert keys.verify(b"payload", signature.as_dict()) == signature.signer


def test_key_stays(keys: Keys) -> None:
    first = keys.sign(b"payload")
    assert Keys(keys.root).sign(b"payload") == first


@given(payload=st.binary(max_size=50), other=st.binary(max_size=50))
def test_signature_counts_for_its_payload_only(
    tmp_path_factory: pytest.TempPathFactory, payload: bytes, other: bytes
) -> None:
    keys = Keys(tmp_path_factory.getbasetemp() / "keys")
    signature = keys.sign(payload).as_dict()
    if other == payload:
        keys.verify(other, signature)
    else:
        with pytest.raises(IntegrityError, match="does not match"):
            keys.verify(other, signature)


def test_unknown_key_is_not_trusted(keys: Keys, tmp_path: Path) -> None:
    keys.sign(b"")
    with pytest.raises(IntegrityError, match="does not trust") as caught:
        keys.verify(b"payload", Keys(tmp_path / "other").sign(b"payload").as_dict())
    assert "keys/trusted" in caught.value.hint


def test_added_key_is_trusted(keys: Keys, tmp_path: Path) -> None:
    other = Keys(tmp_path / "other")
    signature = other.sign(b"payload")
    (keys.root / "trusted").mkdir(parents=True)
    (keys.root / "trusted" / "colleague.pub").write_text(other.public_text())
    assert keys.verify(b"payload", signature.as_dict()) == signature.signer


def test_signature_of_one_key_under_the_id_of_another(keys: Keys, tmp_path: Path) -> None:
    own = keys.sign(b"payload").as_dict()
    forged = Keys(tmp_path / "other").sign(b"payload").as_dict() | {"keyid": own["keyid"]}
    with pytest.raises(IntegrityError, match="does not match"):
        keys.verify(b"payload", forged)


@pytest.mark.parametrize("sig", ["", "AAAA", "not base64 !", "ä", 5, None, ["x"]])
def test_signature_that_is_none(keys: Keys, sig: object) -> None:
    signature = keys.sign(b"payload").as_dict() | {"sig": sig}
    with pytest.raises(IntegrityError, match="does not match"):
        keys.verify(b"payload", signature)  # type: ignore[arg-type]


@pytest.mark.parametrize("change", [{"keyid": 5}, {"keyid": []}, {"keyid": None}, {"keyid": ""}])
def test_key_id_that_is_none(keys: Keys, change: dict[str, object]) -> None:
    with pytest.raises(IntegrityError, match="does not trust"):
        keys.verify(b"payload", keys.sign(b"payload").as_dict() | change)  # type: ignore[arg-type]


def test_signature_without_fields(keys: Keys) -> None:
    with pytest.raises(IntegrityError):
        keys.verify(b"payload", {})


def test_private_key_is_for_its_owner_only(keys: Keys) -> None:
    keys.sign(b"")
    assert (keys.root / "signing.pem").stat().st_mode & 0o777 == 0o600
    assert keys.root.stat().st_mode & 0o777 == 0o700


def pem(key: Ed25519PrivateKey, password: bytes | None = None) -> bytes:
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        pem(Ed25519PrivateKey.generate(), b"secret"),
    ],
    ids=["empty", "bytes", "damaged", "encrypted"],
)
def test_broken_private_key(keys: Keys, content: bytes) -> None:
    keys.sign(b"")
    (keys.root / "signing.pem").write_bytes(content)
    with pytest.raises(StoreError, match="not a private key") as caught:
        keys.sign(b"")
    assert "backup" in caught.value.hint


def test_private_key_of_another_kind(keys: Keys) -> None:
    keys.sign(b"")
    (keys.root / "signing.pem").write_bytes(pem(generate_private_key(SECP256R1())))  # type: ignore[arg-type]
    with pytest.raises(StoreError, match="not an Ed25519 key"):
        keys.sign(b"")


@pytest.mark.parametrize("text", ["", "ed25519 AAAA me\n", "rsa AAAA me\n", "ed25519 ä! me\n", "ed25519", "\x00"])
def test_broken_public_key(keys: Keys, text: str) -> None:
    keys.sign(b"")
    (keys.root / "trusted" / "x.pub").write_text(text)
    with pytest.raises(StoreError, match="not a public key"):
        keys.trusted()


def test_owner_may_have_spaces(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: "Ada  Lovelace")
    assert keys.verify(b"", keys.sign(b"").as_dict()).startswith("Ada Lovelace@")


def test_user_without_a_name(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("uid not found")

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert keys.sign(b"").signer.startswith("unknown@")


def test_kill_while_the_key_is_made_does_not_orphan_it(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Keys, "trust", killed)
        with pytest.raises(KeyboardInterrupt):
            keys.sign(b"")
    assert keys.verify(b"", keys.sign(b"").as_dict())


def test_public_text_holds_the_key(keys: Keys) -> None:
    kind, raw, owner = keys.public_text().split(maxsplit=2)
    assert (kind, len(base64.b64decode(raw)), owner.strip()) == ("ed25519", 32, keys.sign(b"").signer)
