"""Content: sealed, bound to its record, opened; keys that rotate."""

from __future__ import annotations

import os
import stat
import threading
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from auditing import ask, body_of, fill, kinds, run, text_of
from hypothesis import given
from hypothesis import strategies as st

from luodi.errors import IntegrityError, StoreError
from luodi.store import Store
from luodi.store.audit import PayloadKeys, Sealer, open_payload, retire, seal, verify
from luodi.store.audit import payload as module
from luodi.store.audit.payload import PayloadKey, unseal

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


class OneKey(PayloadKeys):
    def __init__(self, key: PayloadKey) -> None:
        super().__init__(Path("/nowhere"))
        self._keys = {key.number: key}


KEY = PayloadKey(7, bytes(range(32)))
KEYS = OneKey(KEY)


@given(st.dictionaries(st.text(), JSON, max_size=4))
def test_what_is_sealed_is_opened(payload: dict[str, Any]) -> None:
    import json

    commitment, sealed = seal("rec_1", payload, KEY)
    opened = unseal("rec_1", sealed, KEYS)
    assert opened[0] == commitment and json.loads(opened[1]) == payload


@given(st.data())
def test_any_changed_byte_is_found(data: st.DataObject) -> None:
    _, sealed = seal("rec_1", {"a": "text"}, KEY)
    at = data.draw(st.integers(0, len(sealed) - 1))
    changed = sealed[:at] + bytes([sealed[at] ^ data.draw(st.integers(1, 255))]) + sealed[at + 1 :]
    with pytest.raises((IntegrityError, StoreError)):
        unseal("rec_1", changed, KEYS)
    with pytest.raises(IntegrityError):
        unseal("rec_1", sealed[:at], KEYS)
    with pytest.raises(IntegrityError, match="another record"):
        unseal("rec_2", sealed, KEYS)


def test_the_same_content_has_another_commitment_each_time() -> None:
    commitments = {seal("rec_1", {"a": "yes"}, KEY)[0] for _ in range(50)}
    assert len(commitments) == 50 and sha256(b'{"a":"yes"}').hexdigest() not in commitments


def test_half_surrogates_and_the_standard_library(monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(2):
        for payload in ({"a": "\ud800"}, {"a": 2**80, "b": "你好"}):
            assert unseal("r", seal("r", payload, KEY)[1], KEYS)
        monkeypatch.setattr(module, "orjson", None)


def test_keys_are_made_once_kept_private_and_seen_by_others(tmp_path: Path) -> None:
    mine, other = PayloadKeys(tmp_path / "keys"), PayloadKeys(tmp_path / "keys")
    assert mine.numbers() == []
    first = mine.current()
    assert first.number == 1 and other.current().secret == first.secret
    assert stat.S_IMODE((tmp_path / "keys" / "payload-1.key").stat().st_mode) == 0o600
    os.utime(tmp_path / "keys", (1, 1))  # long ago, so that the listing is kept
    assert mine.current() is first and other.current().number == 1
    assert other.rotate().number == 2
    assert mine.current().number == 2, "a key that another process made"
    other.remove(1)
    assert mine.current().number == 2 and mine.numbers() == [2]
    with pytest.raises(StoreError, match=r"payload-1\.key is not in"):
        PayloadKeys(tmp_path / "keys").get(1)
    (tmp_path / "keys" / "payload-3.key").write_bytes(b"short")
    with pytest.raises(StoreError, match="no key of 32 bytes"):
        mine.current()


def test_many_make_the_first_key_at_once(tmp_path: Path) -> None:
    found: list[bytes] = []
    gate = threading.Barrier(8)

    def make() -> None:
        keys = PayloadKeys(tmp_path / "keys")
        gate.wait()
        found.append(keys.current().secret)

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    newest = PayloadKeys(tmp_path / "keys")
    opened = {newest.get(n).secret for n in newest.numbers()}
    assert len(found) == 8 and set(found) <= opened, "whatever somebody seals with can be opened"


def test_opened_from_the_store(store: Store) -> None:
    fill(store, 3)
    assert open_payload(store, "rec_00000001") == text_of(1)
    with pytest.raises(StoreError, match="no record 'x'"):
        open_payload(store, "x")
    run(store, "UPDATE log SET body = ? WHERE seq = 1", '{"content":"00"}')
    with pytest.raises(IntegrityError, match="commits to"):
        open_payload(store, "rec_00000001")
    run(store, "DELETE FROM payloads WHERE id = 'rec_00000001'")
    with pytest.raises(StoreError, match="no content"):
        open_payload(store, "rec_00000001")


def test_the_database_holds_nothing_readable(store: Store, tmp_path: Path) -> None:
    fill(store, 3)
    assert not any(b"question 1" in p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())
    assert len(body_of(store, 0)["content"]) == 64


def test_a_key_is_retired(store: Store) -> None:
    fill(store, 600)  # more than one batch
    keys = PayloadKeys(store.keys.root)
    with pytest.raises(StoreError, match="key 1 is in use"):
        retire(store, 1, actor="me")
    keys.rotate()
    commitment, sealed = Sealer(store).seal("rec_x", {"a": 1})
    assert unseal("rec_x", sealed, keys)[0] == commitment and sealed[:5] == b"\1\0\0\0\2"
    fill(store, 5, start=600)
    with pytest.raises(StoreError, match="younger than 60 s") as caught:
        retire(store, 1, actor="me")
    assert "--retire 1" in caught.value.hint
    assert retire(store, 1, actor="me", grace_s=0) == 600
    assert PayloadKeys(store.keys.root).numbers() == [2]
    report = verify(store)
    assert report.ok and report.payloads == 605 and open_payload(store, "rec_00000042") == text_of(42)
    assert ask(store, "SELECT kind, subject FROM log ORDER BY seq DESC LIMIT 1") == [("audit.key_retired", "payload-1")]


def test_without_the_key(store: Store) -> None:
    fill(store, 3)
    PayloadKeys(store.keys.root).rotate()
    PayloadKeys(store.keys.root).remove(1)
    assert kinds(verify(store)) == ["payload.key"] and verify(store).problems[0].to_seq is not None
    assert verify(store, content=False).ok and verify(store, content=False).payloads_not_checked == 3
