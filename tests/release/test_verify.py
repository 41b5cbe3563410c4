"""Nothing that is not as it was signed is served."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from luodi.errors import IntegrityError, LuodiError, ReleaseError
from luodi.release import Registry, Release, statement, verify, verify_folder
from luodi.store import Store
from luodi.store.keys import Keys
from luodi.testing import tiny_release

FILES = [
    "cards/cards.json",
    "cards/mlbom.cdx.json",
    "cards/model-card.md",
    "guard/attack-model/model.json",
    "guard/attack-model/weights.npy",
    "guard/training-text/grams.npy",
    "guard/training-text/training-text.json",
    "index/index.sqlite",
    "passport.html",
    "passport.json",
    "policy.json",
    "prompts/answer.md",
    "serve.json",
    "statement.json",
    "weights/large.gguf",
    "weights/luodi-model.json",
]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Release]:
    store = Store(tmp_path_factory.mktemp("signed") / "store")
    release = tiny_release(store)
    store.database.close()
    return store.root, release


@pytest.fixture
def copy(made: tuple[Path, Release], tmp_path: Path) -> tuple[Store, Release, Path]:
    """A copy of the store, to be damaged."""
    root = tmp_path / "copy"
    shutil.copytree(made[0], root)
    store = Store(root)
    folder = store.artifacts.get(made[1].digest).files
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return store, made[1], folder


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def test_as_it_was_signed(copy: tuple[Store, Release, Path]) -> None:
    store, release, folder = copy
    assert sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()) == FILES
    found = verify(release, store)
    assert (found.parts, found.signer, found.passport["verdict"]) == (len(FILES) - 1, store.keys.owner(), "pass")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("place", [0.0, 0.5, 1.0])
def test_one_byte_of_any_file(copy: tuple[Store, Release, Path], name: str, place: float) -> None:
    store, release, folder = copy
    path = folder / name
    flip(path, int((path.stat().st_size - 1) * place))
    with pytest.raises(IntegrityError) as caught:
        verify(release, store)
    assert caught.value.message.startswith(f"{name}: ")


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file(copy: tuple[Store, Release, Path], name: str) -> None:
    store, release, folder = copy
    (folder / name).unlink()
    with pytest.raises(IntegrityError) as caught:
        verify(release, store)
    assert caught.value.message.startswith(f"{name}: ")


@pytest.mark.parametrize(
    "name", ["extra.txt", "weights/second.gguf", "index/index.sqlite-wal", "weights/statement.json"]
)
def test_a_file_too_many(copy: tuple[Store, Release, Path], name: str) -> None:
    store, release, folder = copy
    (folder / name).write_text("more")
    with pytest.raises(IntegrityError, match=f"{name}: not part of the signed release"):
        verify(release, store)


def test_a_link_is_no_part(copy: tuple[Store, Release, Path]) -> None:
    store, release, folder = copy
    path = folder / "serve.json"
    kept = path.rename(folder.parent / "kept.json")
    path.symlink_to(kept)
    with pytest.raises(LuodiError, match=r"serve\.json is a link"):
        verify(release, store)


def test_every_byte_of_the_statement(copy: tuple[Store, Release, Path]) -> None:
    store, release, folder = copy
    path = folder / "statement.json"
    good = path.read_bytes()
    for at in range(0, len(good), 7):
        path.write_bytes(good)
        flip(path, at)
        with pytest.raises(IntegrityError, match=r"^statement\.json: "):
            verify(release, store)


Change = Callable[[dict[str, Any]], Any]


@pytest.mark.parametrize(
    "change",
    [
        lambda e: e | {"signatures": []},
        lambda e: e | {"signatures": ["x"]},
        lambda e: e | {"signatures": None},
        lambda e: [e],
        lambda e: e | {"payloadType": "text/plain"},
        lambda e: {},
        lambda e: e | {"payload": "no base64!"},
        lambda e: None,
        lambda e: e | {"signatures": [{}]},
        lambda e: e | {"signatures": [e["signatures"][0] | {"sig": 7}]},
    ],
)
def test_no_statement_at_all(copy: tuple[Store, Release, Path], change: Change) -> None:
    store, release, folder = copy
    path = folder / "statement.json"
    path.write_text(json.dumps(change(json.loads(path.read_bytes()))))
    with pytest.raises(IntegrityError, match=r"^statement\.json: "):
        verify(release, store)


def test_signed_by_a_stranger(copy: tuple[Store, Release, Path], tmp_path: Path) -> None:
    store, release, folder = copy
    signed, _ = statement.read(folder, store.keys)
    files = [{"path": s["name"], "digest": s["digest"]["blake3"]} for s in signed["subject"]]
    stranger = Keys(tmp_path / "stranger")
    envelope = statement.sign(stranger, folder, files, signed["predicate"])
    (folder / "statement.json").write_text(json.dumps(envelope))
    with pytest.raises(IntegrityError, match="does not trust") as caught:
        verify_folder(folder, store)
    assert "keys/trusted" in caught.value.hint
    (store.root / "keys" / "trusted" / "stranger.pub").write_text(stranger.public_text())
    assert verify_folder(folder, store)[1] == stranger.owner(), "once trusted, it counts"
    with pytest.raises(IntegrityError, match="registered"):
        verify(release, store)


def test_one_trusted_signature_of_two_is_enough(copy: tuple[Store, Release, Path], tmp_path: Path) -> None:
    store, _, folder = copy
    path = folder / "statement.json"
    envelope = json.loads(path.read_bytes())
    other = Keys(tmp_path / "other").sign(b"something else").as_dict()
    path.write_text(json.dumps(envelope | {"signatures": [other, *envelope["signatures"]]}))
    assert verify_folder(folder, store)[1] == store.keys.owner()


def test_the_statement_is_dsse_and_in_toto(copy: tuple[Store, Release, Path]) -> None:
    store, _, folder = copy
    envelope = json.loads((folder / "statement.json").read_bytes())
    assert set(envelope) == {"payloadType", "payload", "signatures"}
    assert envelope["payloadType"] == "application/vnd.in-toto+json"
    payload = base64.b64decode(envelope["payload"])
    said = json.loads(payload)
    assert said["_type"] == "https://in-toto.io/Statement/v1" and said["predicateType"].startswith("https://")
    assert sorted(s["name"] for s in said["subject"]) == [f for f in FILES if f != "statement.json"]
    assert all(len(bytes.fromhex(s["digest"]["blake3"])) == 32 for s in said["subject"])
    # DSSE's pre-authentication encoding, written out by hand
    kind = envelope["payloadType"].encode()
    signed = b" ".join([b"DSSEv1", str(len(kind)).encode(), kind, str(len(payload)).encode(), payload])
    key, _owner = store.keys.trusted()[envelope["signatures"][0]["keyid"]]
    key.verify(base64.b64decode(envelope["signatures"][0]["sig"]), signed)


def test_a_failing_release_is_not_served_nor_promoted(store: Store) -> None:
    release = tiny_release(store, failing=True)
    assert (release.verdict, release.channels) == ("block", ())
    with pytest.raises(ReleaseError, match=r"answers_supported ≥ 0\.9: 0\.5 share"):
        verify(release, store)
    assert verify(release, store, allow_failing=True).passport["verdict"] == "block"
    with pytest.raises(ReleaseError, match="its gates say 'block'"):
        Registry(store).move(release, "canary", "me")


def test_a_row_that_lies_about_the_verdict_is_not_believed(store: Store) -> None:
    from dataclasses import replace

    release = tiny_release(store, failing=True)
    with pytest.raises(ReleaseError, match="did not pass its gates"):
        verify(replace(release, verdict="pass"), store)
    with pytest.raises(ReleaseError, match="the registry says helpdesk@7"):
        verify(replace(release, version=7), store, allow_failing=True)


def test_a_waiver_lets_a_release_be_promoted_up_to_its_last_day(copy: tuple[Store, Release, Path]) -> None:
    from datetime import date

    from luodi.release import check_waivers

    store, release, _ = copy
    verified = verify(release, store)
    check_waivers(verified)
    gate = verified.passport["promises"]["fit"][0]["gate"]
    waiver = {"person": "Ann", "role": "admin", "reason": "known", "expires": "2026-06-30"}
    gate |= {"verdict": "block", "required": True, "waiver": waiver}
    check_waivers(verified, date(2026, 6, 30))
    with pytest.raises(ReleaseError, match="by a waiver of Ann until 2026-06-30"):
        check_waivers(verified, date(2026, 7, 1))
    gate["verdict"] = "pass"  # it would have passed without
    check_waivers(verified, date(2026, 7, 1))


def test_a_release_is_good_up_to_its_last_day(tmp_path: Path) -> None:
    from datetime import date

    from luodi.release.verify import expired

    store = Store(tmp_path / "store")
    release = tiny_release(store, project={"valid_days": 30})
    predicate, _, _ = verify_folder(store.artifacts.get(release.digest).files, store)
    last = date.fromisoformat(predicate["expires"])
    assert verify(release, store).passport["expires"] == predicate["expires"]
    assert expired(predicate, last) == "" and expired(predicate, date(last.year + 1, 1, 1)) == last.isoformat()
    assert expired({"expires": ""}) == expired({}) == ""


def test_an_expired_release_is_not_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from luodi.release import bundle

    monkeypatch.setattr(bundle, "_expires", lambda days: "2020-01-01")
    store = Store(tmp_path / "store")
    release = tiny_release(store)
    with pytest.raises(ReleaseError, match="expired on 2020-01-01"):
        verify(release, store)
    assert verify(release, store, allow_failing=True)
