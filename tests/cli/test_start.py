"""How quickly it starts, what help says, and the texts in both languages."""

from __future__ import annotations

import ast
import csv
import os
import re
import statistics
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import click
import pytest

import luodi.cli
from luodi.cli import COMMANDS, cli, main
from luodi.project import PROMISES
from luodi.store.audit.report import KINDS

HEAVY = (
    "torch",
    "numpy",
    "pydantic",
    "transformers",
    "sqlalchemy",
    "pyarrow",
    "openvino",
    "rich",
    "uvicorn",
    "aiohttp",
)


def cpu_ms(*command: str) -> float:
    """Processor time of a command: what it costs, however busy the machine is."""
    before = os.times()
    subprocess.run(command, check=True, capture_output=True)
    after = os.times()
    return (after.children_user + after.children_system - before.children_user - before.children_system) * 1000


def median_ms(*command: str) -> float:
    return statistics.median(cpu_ms(*command) for _ in range(5))


def test_help_is_quick() -> None:
    assert median_ms(sys.executable, "-c", "from luodi.cli import main; main(['--help'])") < 300


def test_import_is_quick() -> None:
    assert median_ms(sys.executable, "-c", "import luodi") < 150


@pytest.mark.parametrize(
    "code",
    ["import luodi", "import luodi.cli", "from luodi.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass"],
)
def test_nothing_heavy_is_imported(code: str) -> None:
    told = f"{code}\nimport sys\nprint('loaded:', [m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", told], check=True, capture_output=True, text=True)
    assert done.stdout.endswith("loaded: []\n")


def commands() -> list[tuple[str, click.Command]]:
    found = []
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        found.append((name, command))
        if isinstance(command, click.Group):
            found += [(f"{name} {sub}", c) for sub, c in command.commands.items()]
    return found


def test_every_command_has_help_and_an_example(run: Any) -> None:
    for name, command in commands():
        done = run(*name.split(), "--help")
        assert done.code == 0 and command.help, name
        if " " not in name:
            assert re.search(rf"Examples?:\n +luodi {name}", done.out), f"{name} has no example"
    assert all(name in run("--help").out for name in COMMANDS)


def test_every_option_has_help() -> None:
    for name, command in commands():
        for option in command.params:
            if isinstance(option, click.Option) and not isinstance(option.type, click.Choice):
                assert option.help, f"{name} --{option.name}"


def test_version(run: Any) -> None:
    assert run("--version").out == f"luodi, version {luodi.__version__}\n"


def table() -> dict[str, dict[str, str]]:
    with files("luodi.cli").joinpath("words.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len({r["key"] for r in rows}) == len(rows)
    return {r["key"]: r for r in rows}


def strings() -> set[str]:
    found = set()
    for path in Path(luodi.cli.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return found


def said() -> set[str]:
    """Keys that are said by name: the first argument of every `say`."""
    found = set()
    for path in Path(luodi.cli.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "say":
                made = {
                    id(part) for n in ast.walk(node.args[0]) if isinstance(n, ast.JoinedStr) for part in ast.walk(n)
                }
                found |= {
                    n.value
                    for n in ast.walk(node.args[0])
                    if isinstance(n, ast.Constant) and isinstance(n.value, str) and id(n) not in made
                }
    return found


VERDICTS = {"pass", "block", "need more"}


def test_every_text_is_in_both_languages() -> None:
    for key, row in table().items():
        assert row["en"].strip() and row["zh"].strip(), key
        letters = re.sub(r"\{[^}]*\}", "", row["en"])
        assert re.search("[一-鿿]", row["zh"]) or row["zh"] == row["en"] or not re.search("[a-z]", letters), key
        assert sorted(re.findall(r"\{\w+", row["en"])) == sorted(re.findall(r"\{\w+", row["zh"])), key


def test_every_key_used_exists_and_none_is_unused() -> None:
    keys = set(table())
    problems = {f"audit_{kind}" for kind in KINDS}
    assert said() | set(PROMISES) | VERDICTS | problems <= keys
    assert keys <= strings() | set(PROMISES) | VERDICTS | problems


def test_a_folder_that_cannot_be_made_is_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["new", "/proc/nothing/desk"])
    assert ended.value.code == 2
    assert "Traceback" not in capsys.readouterr().err


def test_a_mistake_of_ours_is_kept_in_a_file(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("ours")

    monkeypatch.setattr(cli, "main", broken)
    with pytest.raises(SystemExit) as ended:
        main(["doctor"])
    told = capsys.readouterr().err
    assert ended.value.code == 3
    assert "ZeroDivisionError: ours" in told
    log = Path(told.rpartition("are in ")[2].strip())
    assert "Traceback" in log.read_text()
    log.unlink()
