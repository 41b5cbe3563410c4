"""The command line in this process: `run("release", "ls")` gives exit code, output and errors."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from luodi.cli import main
from luodi.store import Store
from luodi.testing import FakeEngine, engine_kinds


@dataclass
class Ran:
    code: int
    out: str
    err: str

    def lines(self) -> list[dict[str, Any]]:
        """The JSON lines of the output."""
        return [json.loads(line) for line in self.out.splitlines()]


Run = Callable[..., Ran]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    for name in ("LUODI_HOME", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "en_US.UTF-8")
    monkeypatch.chdir(tmp_path)

    def go(*arguments: str) -> Ran:
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main(list(arguments))
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return Ran(int(left.value.code or 0), out, err)

    return go


@pytest.fixture
def project(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new project, and the shell inside it."""
    assert run("new", "helpdesk").code == 0
    monkeypatch.chdir(tmp_path / "helpdesk")
    return tmp_path / "helpdesk"


@pytest.fixture
def store(project: Path) -> Iterator[Store]:
    store = Store.of(project)
    yield store
    store.database.close()


@pytest.fixture
def engine() -> Iterator[FakeEngine]:
    engine = FakeEngine("Set required=False on the field to make it optional. [1]")
    with engine_kinds(fake=lambda folder, *, pick, threads: engine):
        yield engine
