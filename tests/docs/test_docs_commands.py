"""What documents tell a reader to type works: commands, project files, options, Python."""

from __future__ import annotations

import ast
import importlib.util
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import click
import pytest
import yaml
from click.testing import CliRunner
from pages import ROOT, Block, Page, pages
from pydantic import BaseModel

from luodi.cli import _hoist, cli
from luodi.errors import ProjectError
from luodi.guard.business import read_rules, try_rules
from luodi.project import Gates, Project
from luodi.project.reading import read_yaml


def commands() -> Iterator[tuple[Page, str, bool]]:
    """(page, line, whether it is to be typed as it stands) of every `luodi …` in code."""
    for page in pages():
        for block in page.blocks:
            for line in block.text.splitlines():
                if re.match(r"(?:\$ )?luodi ", line):
                    yield page, line.removeprefix("$ "), True
        for text in page.inline:
            if text.startswith("luodi "):
                yield page, text, False


def blocks(language: str) -> list[tuple[Page, Block]]:
    return [(page, block) for page in pages() for block in page.blocks if block.language == language]


COMMANDS = {(page.name, line): whole for page, line, whole in commands()}


def parse(line: str, *, whole: bool) -> list[str]:
    """The commands' names on `line`, once click has read every option and argument of them; nothing is run."""
    words = _hoist(shlex.split(cut(line))[1:])
    command: click.Command = cli
    names: list[str] = []
    context = None
    while True:
        try:
            context = command.make_context(command.name or "luodi", list(words), parent=context)
        except click.MissingParameter:
            if whole:
                raise
            return names  # a command that is mentioned, not typed
        if not isinstance(command, click.Group):
            return names
        words = [*context._protected_args, *context.args]
        if not words:
            return names
        name, found, words = command.resolve_command(context, words)
        assert found is not None
        command = found
        names.append(name or "")


def cut(line: str) -> str:
    """A line without its redirection, pipe or comment."""
    return re.split(r"\s(?:[>|#]|&&)\s", line, maxsplit=1)[0]


@pytest.mark.parametrize(("where", "line"), COMMANDS)
def test_a_command_that_is_named_exists_with_its_options(where: str, line: str) -> None:
    names = parse(line, whole=COMMANDS[where, line])
    told = CliRunner().invoke(cli, [*names, "--help"])
    assert told.exit_code == 0
    assert [o for o in re.findall(r"(?<=\s)--[a-z-]+", cut(line)) if o not in told.output and o not in general()] == []


def general() -> set[str]:
    """Options that every command takes."""
    return {o for p in cli.params for o in p.opts}


@pytest.mark.parametrize("line", ["luodi rune", "luodi run --dry", "luodi check --schema all", "luodi release promote"])
def test_a_command_that_does_not_exist_is_found(line: str) -> None:
    with pytest.raises(click.ClickException):
        parse(line, whole=True)


def test_documents_name_commands() -> None:
    assert len(COMMANDS) > 20


@pytest.mark.parametrize(("page", "block"), blocks("yaml"), ids=lambda v: v.name if isinstance(v, Page) else "")
def test_a_project_file_is_valid(page: Page, block: Block, tmp_path: Path) -> None:
    if "rules" in yaml.safe_load(block.text):
        pytest.importorskip("cel_expr_python")
        path = tmp_path / "rules.yaml"
        path.write_text(block.text, "utf-8")
        assert all(tried.passed for tried in try_rules(read_rules(path)))
        return
    gates = "gates" in yaml.safe_load(block.text)
    text = block.text if gates or "name" in yaml.safe_load(block.text) else f"name: helpdesk\n{block.text}"
    path = tmp_path / ("gates.yaml" if gates else "luodi.yaml")
    path.write_text(text, "utf-8")
    read_yaml(path, Gates if gates else Project)


def mistakes() -> list[str]:
    return sorted(
        {x for page in pages() for b in page.blocks for x in re.findall(r"(?m)^luodi\.yaml:\d+: .*$", b.text)}
    )


@pytest.mark.parametrize("message", mistakes())
def test_a_mistake_is_told_as_the_documents_say(message: str, tmp_path: Path) -> None:
    found = re.match(r"luodi\.yaml:(\d+): ([\w.]+): '([^']*)'", message)
    assert found, "write the example so that it names the place and the value"
    place = found[2].split(".")
    text = (
        "name: helpdesk\n" + "".join(f"{'  ' * n}{part}:\n" for n, part in enumerate(place)).rstrip() + f" {found[3]}\n"
    )
    path = tmp_path / "luodi.yaml"
    path.write_text("\n" * (int(found[1]) - text.count("\n")) + text, "utf-8")
    with pytest.raises(ProjectError) as caught:
        read_yaml(path, Project)
    assert caught.value.message == message


@pytest.mark.parametrize(("page", "block"), blocks("python"), ids=lambda v: v.name if isinstance(v, Page) else "")
def test_python_compiles(page: Page, block: Block) -> None:
    compile(ast.parse(block.text), page.name, "exec")


@pytest.fixture
def options() -> ModuleType:
    """scripts/document_options.py, loaded."""
    spec = importlib.util.spec_from_file_location("document_options", ROOT / "scripts/document_options.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class TestTheTablesOfOptions:
    def test_are_as_the_script_writes_them(self, options: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "argv", ["document_options.py", "--check"])
        assert options.main() == 0

    def test_describe_every_option(self, options: ModuleType) -> None:
        parts: dict[str, type[BaseModel]] = options.parts()
        silent = [f"{n}.{o}" for n, part in parts.items() for o, f in part.model_fields.items() if not f.description]
        assert silent == []

    def test_leave_out_no_part_of_the_project(self, options: ModuleType) -> None:
        assert models(Project) | models(Gates) == set(options.parts().values()) | {Gates}

    @pytest.mark.parametrize("path", sorted(ROOT.glob("docs/*/project-file.md")), ids=lambda p: p.parent.name)
    def test_name_every_option(self, options: ModuleType, path: Path) -> None:
        text = path.read_text("utf-8")
        for name, part in options.parts().items():
            table = re.search(rf"(?ms)^### {re.escape(name)}$(.*?)(?=^##|^<!--)", text)
            assert table, f"{path} has no table of {name}"
            assert [o for o in part.model_fields if f"\n| `{o}` |" not in table[1]] == []


def models(part: type[BaseModel]) -> set[type[BaseModel]]:
    """A model and all that its options are made of."""
    found, todo = set[type[BaseModel]](), [part]
    while todo:
        model = todo.pop()
        if model in found:
            continue
        found.add(model)
        kinds = [field.annotation for field in model.model_fields.values()]
        while kinds:
            kind = kinds.pop()
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                todo.append(kind)
            kinds += getattr(kind, "__args__", ())
    return found
