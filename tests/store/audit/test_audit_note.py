"""Signed notes: the specification's own form and example, and what is refused."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from luodi.errors import IntegrityError
from luodi.store import Store
from luodi.store.audit.note import Checkpoint, key_hash, origin_of, parse, sign, signer_of

# The example of c2sp.org/tlog-checkpoint.
EXAMPLE = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
)
# A verifier key that Go's sumdb publishes: name, key hash, type and key. It shows how the hash is made.
SUMDB = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"


def test_the_specification_s_example() -> None:
    note = parse(EXAMPLE)
    assert (note.checkpoint.origin, note.checkpoint.size) == ("example.com/behind-the-sofa", 20852163)
    assert note.text + "\n" + EXAMPLE.partition("\n\n")[2] == EXAMPLE and note.checkpoint.text == note.text
    ((name, short, signature),) = note.signatures
    assert (name, short.hex(), len(signature)) == ("example.com/behind-the-sofa", "033de0ae", 64)


def test_the_key_hash_of_a_published_key() -> None:
    name, short, raw = SUMDB.split("+", 2)
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(raw)[1:])
    assert base64.b64decode(raw)[0] == 1 and key_hash(name, key).hex() == short


def test_signed_and_verified(store: Store) -> None:
    checkpoint = Checkpoint(origin_of(bytes(32)), 7, bytes(range(32)))
    text = sign(checkpoint, store.keys)
    note = parse(text)
    assert note.checkpoint == checkpoint and signer_of(note, store.keys.trusted()) == store.keys.owner()
    stranger = "— witness.example/w " + base64.b64encode(b"abcd" + bytes(64)).decode() + "\n"
    assert signer_of(parse(text + stranger), store.keys.trusted()), "signatures of unknown keys are ignored"
    other = {"x": (Ed25519PrivateKey.generate().public_key(), "other")}
    with pytest.raises(IntegrityError, match="not signed by a key that is trusted"):
        signer_of(note, other)


def test_a_signature_under_a_known_name_that_does_not_hold_rejects_the_note(store: Store) -> None:
    checkpoint = Checkpoint("luodi/log/a", 7, bytes(32))
    text = sign(checkpoint, store.keys)
    (key, _) = next(iter(store.keys.trusted().values()))
    forged = "— luodi/log/a " + base64.b64encode(key_hash("luodi/log/a", key) + bytes(64)).decode() + "\n"
    with pytest.raises(IntegrityError, match="does not match"):
        signer_of(parse(text + forged), store.keys.trusted())
    with pytest.raises(IntegrityError, match="does not match"):
        signer_of(parse(text.replace("\n7\n", "\n8\n")), store.keys.trusted())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "a\n1\n\n",
        EXAMPLE.replace("20852163", "020852163"),
        EXAMPLE.replace("20852163", "-1"),
        EXAMPLE.replace("20852163", "٣"),
        EXAMPLE.replace("20852163", "9" * 5000),
        EXAMPLE.replace("CsUY", "Cs"),
        EXAMPLE.replace("CsUY", "!sUY"),
        EXAMPLE.replace("— ", "-- "),
        EXAMPLE.replace("sofa Az3g", "sofa"),
        EXAMPLE.replace("example.com", "exa\tmple.com"),
        EXAMPLE.rstrip("\n"),
        EXAMPLE + "\n",
        EXAMPLE.replace("\n\n", "\n"),
        "a" * 70_000 + EXAMPLE,
        EXAMPLE.replace("sofa Az", "sofa+x Az"),
    ],
)
def test_what_is_no_note(text: str) -> None:
    with pytest.raises(IntegrityError, match="not a checkpoint"):
        parse(text)


@given(st.text(st.characters(codec="utf-8")) | st.binary().map(lambda b: b.decode("utf-8", "replace")))
def test_anything_else_is_refused_and_nothing_more(text: str) -> None:
    for candidate in (text, EXAMPLE[:40] + text + EXAMPLE[40:], text + EXAMPLE, EXAMPLE + text):
        try:
            parse(candidate)
        except IntegrityError:
            continue
