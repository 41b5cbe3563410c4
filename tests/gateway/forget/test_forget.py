"""A person is found everywhere, handed out, forgotten, and does not come back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from luodi.data.forgotten import FILE, read
from luodi.errors import IntegrityError, LuodiError, StoreError
from luodi.gateway.forget import again, check, export, find, forget
from luodi.pipeline import read_rows
from luodi.release import Registry
from luodi.store import Store
from luodi.store.audit import open_payload, verify
from luodi.store.backup import backup, restore


def filled(home) -> tuple[str, str, str]:
    """The person's record, one of others that names the person, and one of somebody else."""
    mine = home.call("user:4711", "Where is my parcel?")
    named = home.call("user:1", "Is 张 三 in today? His number is 138 0013 8000")
    other = home.call("user:2", "What does the red light mean?")
    home.answer("user:4711", mine, '{"text": "On its way."}')
    home.answer("user:9", "x", '{"text": "Ask \\u5f20\\u4e09."}')
    home.answer("user:2", other, '{"text": "The tray is empty."}')
    home.value("user:4711", "[EMAIL_AAAAAAAA]", "z3@shop.cn")
    home.value("data", "[PHONE_BBBBBBBB]", "138-0013-8000")
    home.value("data", "[PHONE_CCCCCCCC]", "13900139000")
    return mine, named, other


def test_everything_is_found(home) -> None:
    mine, named, _ = filled(home)
    home.run()
    release = home.release()
    (home.root / "people.csv").write_text("name,phone\n张三,１３８００１３８０００\n", "utf-8")
    found = find(home.store, home.loaded, home.person(), actor="me")
    assert (found.kept.records, found.kept.mentions) == ([mine], [named])
    assert len(found.kept.vault) == 2 and len(found.kept.answers) == 2
    assert {(d.path, d.count) for d in found.documents} == {("staff.md", 1), ("people.csv", 2)}
    assert [p.path for p in found.rows.places.values()] == ["staff.md"]
    assert {h.stage for h in found.intermediate} >= {"collect", "clean", "scrub", "deduplicate", "index", "originals"}
    assert [(h.release, h.passages) for h in found.releases] == [(str(release), 1)]


def test_that_content_was_opened_is_in_the_log_first(home) -> None:
    filled(home)
    find(home.store, home.loaded, home.person(), actor="officer")
    with home.store.database.begin() as connection:
        rows = connection.exec_driver_sql("SELECT actor, body FROM log WHERE kind='privacy.searched'").all()
    assert [row[0] for row in rows] == ["officer"] and "4711" not in rows[0][1] and "张三" not in rows[0][1]


def test_forgotten_everywhere(home) -> None:
    mine, named, other = filled(home)
    before = home.run()
    release = home.release()
    person = home.person()
    done = forget(
        home.store, home.loaded, person, find(home.store, home.loaded, person, actor="me"), reason="asked", actor="me"
    )
    for id in (mine, named):
        with pytest.raises(StoreError, match="no content"):
            open_payload(home.store, id)
    assert open_payload(home.store, other)["answer"] == "Yes."
    assert home.count("vault") == 1 and home.count("cache_entries") == 1
    assert before["clean"] not in home.store.artifacts and release.digest in home.store.artifacts
    assert verify(home.store).ok
    assert done.flagged == (str(release),)
    (flag,) = Registry(home.store).find("helpdesk@1").flags
    assert "1 passages in its index" in flag and done.body["id"] in flag
    for text in (done.path.read_text("utf-8"), (home.root / FILE).read_text("utf-8")):
        assert not any(value in text for value in ("张三", "4711", "13800138000"))

    after = home.run()
    rows = read_rows(home.store.artifacts.get(after["clean"]).files)
    assert len(rows) == 2 and not any("张三" in r.text for r in rows)
    dropped = json.loads((home.store.artifacts.get(after["clean"]).files / "dropped.json").read_bytes())
    assert dropped["forgotten"] == 1
    for row in read_rows(home.store.artifacts.get(after["originals"]).files):
        assert "张三" not in row.text and "night desk answers" not in row.text
        if row.path == "staff.md":
            assert "repaired by the workshop" in row.text and row.text.count("\n") == 9

    found = check(home.store, home.loaded, done.path, subject="user:4711", values=tuple(person.values), actor="me")
    assert found.ok and found.whole, found.wrong
    assert any("staff.md" in what for what in found.remains) and any("helpdesk@1" in what for what in found.remains)
    assert check(home.store, home.loaded, done.path, actor="me").ok


def test_what_comes_back_is_found_by_the_certificate(home) -> None:
    filled(home)
    home.run()
    person = home.person()
    done = forget(
        home.store, home.loaded, person, find(home.store, home.loaded, person, actor="me"), reason="asked", actor="me"
    )
    home.call("user:3", "张三 again")
    values = tuple(person.values)
    assert check(home.store, home.loaded, done.path, actor="me").ok  # without the values nobody can know
    found = check(home.store, home.loaded, done.path, subject="user:4711", values=values, actor="me")
    assert found.wrong == ("1 content of records",)
    home.call("user:4711", "I am back")
    assert check(home.store, home.loaded, done.path, actor="me").wrong == ("1 content of records",)
    (home.root / FILE).unlink()
    assert any("places are not in" in w for w in check(home.store, home.loaded, done.path, actor="me").wrong)


def test_a_certificate_can_be_applied_again_after_a_restore(home, tmp_path: Path) -> None:
    mine, _, _ = filled(home)
    home.run()
    home.release()
    backup(home.store, tmp_path / "old.tar", everything=True)
    person = home.person()
    found = find(home.store, home.loaded, person, actor="me")
    assert [Path(b["file"]).name for b in found.backups] == ["old.tar"] and found.backups[0]["there"]
    done = forget(home.store, home.loaded, person, found, reason="asked", actor="me", revoke=True)
    assert done.revoked == ("helpdesk@1",)
    assert [r["file"] for r in done.body["remains"] if r["what"] == "backup"] == [str(tmp_path / "old.tar")]
    home.store.database.close()
    home.store.root.rename(tmp_path / "gone")
    restore(tmp_path / "old.tar", home.store.root)
    home.store = Store.of(home.root)
    assert open_payload(home.store, mine)
    (home.root / FILE).unlink()
    assert not check(home.store, home.loaded, done.path, actor="me").ok
    second = again(home.store, home.loaded, done.path, actor="me", revoke=True)
    assert second is not None and second.body["again_of"] == done.body["id"]
    assert home.count("vault") == 1 and home.count("cache_entries") == 1 and read(home.root)
    assert Registry(home.store).find("helpdesk@1").revoked
    full = find(home.store, home.loaded, person, actor="me")
    assert not (full.kept.content or full.kept.vault or full.kept.answers or full.intermediate)
    assert check(home.store, home.loaded, second.path, actor="me").ok
    assert again(home.store, home.loaded, second.path, actor="me") is None


def test_a_changed_certificate_is_refused(home) -> None:
    filled(home)
    person = home.person()
    done = forget(
        home.store, home.loaded, person, find(home.store, home.loaded, person, actor="me"), reason="asked", actor="me"
    )
    whole = json.loads(done.path.read_text())
    whole["certificate"]["erased"]["content"] = 99
    done.path.write_text(json.dumps(whole))
    with pytest.raises(IntegrityError, match="does not match"):
        check(home.store, home.loaded, done.path, actor="me")
    done.path.write_text("[]")
    with pytest.raises(StoreError, match="no deletion certificate"):
        check(home.store, home.loaded, done.path, actor="me")


def test_another_person_is_not_checked_with_it(home) -> None:
    filled(home)
    person = home.person()
    done = forget(
        home.store, home.loaded, person, find(home.store, home.loaded, person, actor="me"), reason="asked", actor="me"
    )
    with pytest.raises(StoreError, match="another subject"):
        check(home.store, home.loaded, done.path, subject="user:1", actor="me")
    with pytest.raises(StoreError, match="none of those"):
        check(home.store, home.loaded, done.path, values=("李四先生",), actor="me")


def test_pseudonymous_training_data(home) -> None:
    """What a row was made of counts: the value is behind a placeholder, and the row is of the person all the same."""
    with (home.root / "luodi.yaml").open("a") as file:
        file.write("scrub: {disposition: mask}\n")
    text = (home.root / "documents" / "staff.md").read_text("utf-8").replace("张三", "the number 13800138000")
    (home.root / "documents" / "staff.md").write_text(text, "utf-8")
    before = home.run()
    assert not any("13800138000" in r.text for r in read_rows(home.store.artifacts.get(before["scrub"]).files))
    found = find(home.store, home.loaded, home.person("", "13800138000"), actor="me")
    held = {h.stage: h for h in found.intermediate}
    assert held["scrub"].rows and held["index"].passages == 1


def test_nothing_found_and_no_reason(home) -> None:
    person = home.person("user:0", "nobody at all")
    found = find(home.store, home.loaded, person, actor="me")
    assert not found.any
    with pytest.raises(LuodiError, match="nothing was found"):
        forget(home.store, home.loaded, person, found, reason="asked", actor="me")
    with pytest.raises(LuodiError, match="needs a reason"):
        forget(home.store, home.loaded, person, found, reason=" ", actor="me")
    assert not (home.root / "privacy").exists()


def test_what_is_kept_is_handed_out_and_each_reading_logged(home, tmp_path: Path) -> None:
    mine, named, _ = filled(home)
    home.run()
    person = home.person()
    found = find(home.store, home.loaded, person, actor="me")
    counts = export(home.store, person, found, tmp_path / "out", actor="officer")
    assert counts["records"] == 2 and counts["values"] == 2 and counts["rows"]
    records = {r["id"]: r for r in json.loads((tmp_path / "out" / "records.json").read_bytes())}
    assert records[mine]["content"]["messages"] == [["user", "Where is my parcel?"]] and not records[named]["own"]
    values = json.loads((tmp_path / "out" / "values.json").read_bytes())
    assert {v["value"] for v in values} == {"z3@shop.cn", "138-0013-8000"}
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o700
    with home.store.database.begin() as connection:
        read = connection.exec_driver_sql("SELECT subject FROM log WHERE kind='content.read'").all()
    assert {row[0] for row in read} == {mine, named}
    with pytest.raises(StoreError, match="not empty"):
        export(home.store, person, found, tmp_path / "out", actor="officer")
