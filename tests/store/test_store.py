from __future__ import annotations

from pathlib import Path

import pytest

from luodi.errors import StoreError
from luodi.store import Store


def test_store_is_made_and_ignored_by_git(tmp_path: Path) -> None:
    Store.of(tmp_path)
    assert (tmp_path / ".luodi" / ".gitignore").read_text() == "*\n"


def test_home_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUODI_HOME", str(tmp_path / "home"))
    assert Store.of(tmp_path / "project").root == tmp_path / "home"


def test_file_in_place_of_the_store(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="is not a folder"):
        Store(tmp_path / "file")


def test_folders_are_made(tmp_path: Path) -> None:
    store = Store(tmp_path / "s")
    assert store.folder("work") == tmp_path / "s" / "work"
    assert store.folder("work").is_dir()


def test_database_is_a_file_of_the_store(tmp_path: Path) -> None:
    store = Store(tmp_path / "s")
    store.database.close()
    assert (tmp_path / "s" / "luodi.db").is_file()


def test_database_url_is_taken(tmp_path: Path) -> None:
    store = Store(tmp_path / "s", f"sqlite:///{tmp_path}/other.db")
    store.database.close()
    assert (tmp_path / "other.db").is_file()
