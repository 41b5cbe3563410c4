from __future__ import annotations

import json

import pytest
from sqlalchemy import select

from luodi.errors import ReleaseError
from luodi.release import Registry
from luodi.store import Store
from luodi.store.migrations import log
from luodi.testing import tiny_release


def kinds(store: Store) -> list[str]:
    with store.database.begin() as connection:
        return list(connection.execute(select(log.c.kind).order_by(log.c.seq)).scalars())


def test_find(store: Store) -> None:
    registry = Registry(store)
    with pytest.raises(ReleaseError, match="there is no release 'helpdesk'") as caught:
        registry.find("helpdesk")
    assert "luodi run" in caught.value.hint
    first, second = tiny_release(store), tiny_release(store)
    other = tiny_release(store, name="other")
    assert registry.find("helpdesk").version == 2, "the newest candidate, as long as nothing is live"
    registry.move(first, "live", "me")
    assert registry.find("helpdesk") == registry.find("helpdesk@1") == registry.find("helpdesk@live")
    assert str(registry.find("helpdesk@candidate")) == "helpdesk@2" and registry.find("other") == other
    assert [str(r) for r in registry.all()] == ["helpdesk@2", "helpdesk@1", "other@1"]
    assert second.channels == ("candidate",)
    for wrong in ("helpdesk@9", "helpdesk@canary", "helpdesk@01", "nobody@1"):
        with pytest.raises(ReleaseError):
            registry.find(wrong)
    with pytest.raises(ReleaseError, match=r"helpdesk@2 \(candidate\), helpdesk@1 \(live\)"):
        registry.find("helpdesk@9")


def test_a_blocked_release_says_so(store: Store) -> None:
    tiny_release(store, failing=True)
    with pytest.raises(ReleaseError, match="helpdesk@1 has the verdict 'block'"):
        Registry(store).find("helpdesk")


def test_promote_and_roll_back(store: Store) -> None:
    registry = Registry(store)
    one, two, three = (tiny_release(store) for _ in range(3))
    with pytest.raises(ReleaseError, match="no previous release"):
        registry.rollback("helpdesk", "me")
    registry.move(one, "live", "me")
    registry.move(two, "live", "me")
    registry.move(two, "live", "me")  # once more: nothing changes, `previous` above all
    assert [registry.find(f"helpdesk@{c}").version for c in ("live", "previous")] == [2, 1]
    registry.move(three, "canary", "me")
    assert registry.find("helpdesk@canary").version == 3 and registry.find("helpdesk").version == 2
    now, was = registry.rollback("helpdesk", "me")
    assert (now.version, was.version) == (1, 2)
    assert [registry.find(f"helpdesk@{c}").version for c in ("live", "previous")] == [1, 2]
    now, was = registry.rollback("helpdesk", "me")
    assert (now.version, was.version) == (2, 1)
    assert kinds(store) == ["release.made"] * 3 + ["release.live"] * 2 + ["release.canary"] + ["release.rollback"] * 2


def test_rolling_back_from_a_bundle_that_is_gone(store: Store) -> None:
    registry = Registry(store)
    one, two = tiny_release(store), tiny_release(store)
    registry.move(one, "live", "me")
    registry.move(two, "live", "me")
    store.artifacts.remove(store.artifacts.get(two.digest))
    now, was = registry.rollback("helpdesk", "me")
    assert (str(now), str(was)) == ("helpdesk@1", "helpdesk@2")
    with pytest.raises(ReleaseError, match="no previous release"):
        registry.rollback("helpdesk", "me")
    assert registry.find("helpdesk@live").version == 1


def test_a_version_whose_bundle_was_never_stored_is_used_again(store: Store) -> None:
    """What a kill between the row and the bundle leaves."""
    registry = Registry(store)
    tiny_release(store)
    registry.register("helpdesk", 2, "f" * 64, "pass", "me")
    assert [r.version for r in registry.all("helpdesk")] == [1] and registry.next_version("helpdesk") == 2
    with pytest.raises(ReleaseError):
        registry.find("helpdesk@2")
    again = tiny_release(store)
    assert (again.version, again.channels) == (2, ("candidate",))
    assert registry.find("helpdesk@2").digest == again.digest


def test_a_release_is_not_written_over(store: Store) -> None:
    registry = Registry(store)
    release = tiny_release(store)
    with pytest.raises(ReleaseError, match="helpdesk@1 is already there"):
        registry.register("helpdesk", 1, "f" * 64, "pass", "me")
    assert registry.find("helpdesk@1").digest == release.digest
    registry.register("helpdesk", 1, release.digest, "pass", "me")  # the same once more: the stage ran again


def test_the_signed_predicate_tells_the_release(store: Store) -> None:
    from luodi.release import statement
    from luodi.store import digest_file

    release = tiny_release(store)
    folder = store.artifacts.get(release.digest).files
    said = statement.read(folder, store.keys)[0]["predicate"]
    assert (said["name"], said["version"], said["verdict"]) == ("helpdesk", 1, "pass")
    assert said["passport"] == digest_file(folder / "passport.json")
    assert said["gates"][0]["measure"] == "answers_supported"
    assert json.loads((folder / "serve.json").read_bytes())["engine"] == "fake"
