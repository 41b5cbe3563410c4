"""People and their passwords."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from desks import PASSWORD

from luodi.errors import LuodiError
from luodi.gateway.admin import People
from luodi.gateway.admin import passwords as module
from luodi.gateway.admin.passwords import check_rules, hash_password, is_outdated, is_right
from luodi.store import Store
from luodi.store.audit import verify


@pytest.fixture
def people(store: Store) -> Iterator[People]:
    yield People(store)
    store.database.close()


def test_a_hash_is_right_for_its_password_only() -> None:
    hashed = hash_password("ａ full-width　letter")
    assert hashed.startswith("$argon2id$v=19$m=65536,t=2,p=1$") and not is_outdated(hashed)
    assert is_right(hashed, "a full-width letter"), "however a keyboard composes it"
    assert not is_right(hashed, "a full-width letter ") and not is_right(hashed, "")
    assert not is_right(None, "a full-width letter") and not is_right("x", "a full-width letter")


def test_nobody_costs_as_much_as_somebody() -> None:
    assert not is_outdated(module._NOBODY), "made with the parameters that are in use"


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("elevenchars", "at least 12"),
        ("", "at least 12"),
        ("x" * 2000, "at most 1024"),
        ("Password1234", "first to be tried"),
        ("qwertyuiop123", "first to be tried"),
        ("abababababababab", "first to be tried"),
        ("Anna-Karenina-1877", "hold the name"),
        ("ａｎｎａ likes pears", "hold the name"),
        ("tab\there and there", "control"),
        ("half a pair \ud800 here", "control"),
    ],
)
def test_passwords_that_are_refused(password: str, why: str) -> None:
    with pytest.raises(LuodiError, match=why):
        check_rules(password, "anna")


def test_passwords_that_are_taken() -> None:
    for password in (PASSWORD, "山高月小水落石出断岸千尺", "12345 tolpatschig"):
        check_rules(password, "anna")
    check_rules("xing xing xing yi dian", "xi")  # too short a name to be avoided


def test_the_list_of_common_ones_holds_only_what_length_lets_pass() -> None:
    assert all(len(word) >= module.SHORTEST and word == word.casefold() for word in module._common())


def test_every_change_is_a_row_and_a_password_is_in_none(people: People, store: Store) -> None:
    people.add("Anna", "reviewer", PASSWORD, team="desk", actor="person:root")
    people.change("anna", role="auditor", team="law", actor="person:root")
    people.change("ANNA", disabled=True)
    people.change("anna", disabled=False)
    people.set_password("anna", PASSWORD + "!", actor="person:root")
    with store.database.begin() as connection:
        rows = connection.exec_driver_sql("SELECT kind, actor, subject, body FROM log ORDER BY seq").all()
        kept = connection.exec_driver_sql("SELECT password FROM people").scalar()
    kinds = ["person.added", "person.role", "person.team", "person.disabled", "person.enabled", "person.password"]
    assert [r[0] for r in rows] == kinds and {r[2] for r in rows} == {"person:anna"}
    assert [r[1] for r in rows] == ["person:root"] * 3 + [store.keys.owner()] * 2 + ["person:root"]
    assert PASSWORD not in str(rows) and str(kept).startswith("$argon2id$") and str(kept) not in str(rows)
    assert verify(store).ok


def test_a_name_is_there_once_whatever_its_case(people: People) -> None:
    assert people.add("Wang.Fang", "user", PASSWORD).name == "wang.fang"
    people.add("王芳", "user", PASSWORD)
    with pytest.raises(LuodiError, match="already"):
        people.add("WANG.FANG", "user", PASSWORD)
    assert [p.name for p in people.all()] == ["wang.fang", "王芳"]
    with pytest.raises(LuodiError, match="no person"):
        people.get("wang_fang")  # "_" is no wildcard


@pytest.mark.parametrize("name", ["", " ", "a\nb", "a\0b", "-x", "x" * 101, "a  b", "<b>", "a;b", "../x", "\ud800"])
def test_names_that_are_none(people: People, name: str) -> None:
    with pytest.raises(LuodiError, match="no name"):
        people.add(name, "user", PASSWORD)


def test_what_is_wrong_changes_nothing(people: People) -> None:
    people.add("anna", "user", PASSWORD)
    for wrong in (
        lambda: people.add("bert", "root", PASSWORD),
        lambda: people.add("bert", "user", PASSWORD, team="x" * 101),
        lambda: people.change("anna", role="root"),
        lambda: people.change("nobody", disabled=True),
        lambda: people.set_password("nobody", PASSWORD),
    ):
        with pytest.raises(LuodiError):
            wrong()
    assert [(p.name, p.role, p.state) for p in people.all()] == [("anna", "user", "in force")]
