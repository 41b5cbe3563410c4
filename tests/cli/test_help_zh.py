"""Help in Chinese: every text has its translation, every translation its text, and the columns line up."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from importlib.resources import files
from typing import Any

import click
import pytest

from luodi.cli import COMMANDS, cli
from luodi.cli.show import width
from luodi.cli.translate import paragraphs, table, wrap

CHINESE = re.compile("[一-鿿]")
SENTENCE = re.compile(r"[A-Za-z']+,? [a-z']+,? [a-z']+")  # three English words in a row
CLICK = {"Usage:", "Options", "Commands", "required", "default: {default}", "Show this message and exit."}


def commands() -> list[tuple[list[str], click.Command]]:
    found: list[tuple[list[str], click.Command]] = [([], cli)]
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        found += below([name], command)
    return found


def below(path: list[str], command: click.Command) -> list[tuple[list[str], click.Command]]:
    inner = command.commands.items() if isinstance(command, click.Group) else ()
    return [(path, command), *(each for name, sub in inner for each in below([*path, name], sub))]


NAMES = [" ".join(words) for words, _ in commands()]


def texts() -> set[str]:
    found = CLICK | set(COMMANDS.values())
    for _, command in commands():
        for text in (command.help, command.short_help, command.epilog):
            found |= set(paragraphs(text or ""))
        for param in command.params:
            help_text = getattr(param, "help", None)  # arguments have one in newer versions of click
            found |= {help_text} if help_text else set()
            found |= {"Positional arguments"} if help_text and isinstance(param, click.Argument) else set()
    return found


def test_every_text_has_a_translation() -> None:
    assert sorted(texts() - set(table())) == []


def test_every_translation_has_a_text() -> None:
    assert sorted(set(table()) - texts()) == []
    with files("luodi.cli").joinpath("help-zh.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(table())
    for row in rows:
        assert CHINESE.search(row["zh"]), row["en"]
        assert row["en"].endswith(".") == row["zh"].endswith("。"), row["en"]


def without_examples(page: str) -> str:
    return re.sub(r"(?m)^( +示例：\n)(    .*\n)+", r"\1", page)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("columns", [120, 60])
def test_a_page_is_chinese(name: str, columns: int, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    page = run(*name.split(), "--help", "--lang", "zh").out
    assert page.startswith(f"用法：luodi {name}".rstrip()) and "\n选项：\n" in page
    assert re.search(r"\n +-h, --help +显示本帮助并退出。\n", page)
    body = without_examples(page).partition("\n")[2]
    assert not SENTENCE.search(body) and "..." not in body
    assert max(map(width, body.splitlines())) <= min(columns, 80)
    for section in re.findall(r"(?m)^(?:选项|命令)：\n((?:  .*\n?)+)", page):
        left = {width(re.match(r"(  \S.*?  +| +)\S", line)[1]) for line in section.splitlines()}  # type: ignore[index]
        assert len(left) == 1, section


@pytest.mark.parametrize("name", NAMES)
def test_english_stays_english(name: str, run: Any) -> None:
    before = run(*name.split(), "--help").out
    assert run("--lang", "zh", *name.split(), "--help").out != before
    assert run(*name.split(), "--help").out == before  # the one language leaves nothing behind for the other
    assert not CHINESE.search(before) and before.startswith("Usage: luodi")


def test_the_examples_are_the_same(run: Any) -> None:
    for name in NAMES:
        english, chinese = (
            re.findall(r"(?m)^    luodi .*$", run(*name.split(), "--help", "--lang", language).out)
            for language in ("en", "zh")
        )
        assert english == chinese


@pytest.mark.parametrize(
    "line", [["--lang", "zh", "run", "-h"], ["--lang=zh", "run", "-h"], ["run", "-h", "--lang=zh"]]
)
def test_where_the_language_is_named(line: list[str], run: Any) -> None:
    assert run(*line).out.startswith("用法：luodi run")


def test_the_language_of_the_locale(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    assert run("--help").out.startswith("用法：luodi")
    assert run("release", "--help").out.startswith("用法：luodi release")
    assert run("--lang", "en", "--help").out.startswith("Usage: luodi")


def test_what_click_adds(run: Any) -> None:
    assert re.search(r"--role ROLE +user、[^-]*\[默认：user\]\n", run("key", "make", "--help", "--lang", "zh").out)
    assert re.search(r"--owner TEXT +密钥的使用者。 \[必填\]\n", run("key", "make", "--help", "--lang", "zh").out)
    # click cuts the help of a subcommand short; in Chinese it is there as a whole
    assert "make    创建一个密钥。密钥只显示一次。\n" in run("key", "--help", "--lang", "zh").out


def test_a_text_without_translation_stays_english(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("luodi.cli.translate.table", dict)
    page = run("key", "make", "--help", "--lang", "zh").out
    assert "Make a key. It is shown once." in page and "Who will use it. [required]" in page


def test_wrapping() -> None:
    assert wrap("打开 luodi.yaml，再读（一次）。", 12) == ["打开", "luodi.yaml，", "再读（一", "次）。"]
    assert wrap("", 12) == [""]


def test_english_help_does_not_read_the_chinese() -> None:
    code = (
        "import sys\nfrom luodi.cli import main\ntry: main(['--lang', 'en', '--help'])\nexcept SystemExit: pass\n"
        "print('luodi.cli.translate' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.endswith("False\n")
