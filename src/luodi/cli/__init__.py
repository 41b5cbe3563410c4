"""The command line: one file a command, loaded when it is called."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from luodi import __version__
from luodi.errors import LuodiError

COMMANDS = {
    "new": "Make a project from a template.",
    "check": "Read the project and say what is wrong and what will run.",
    "run": "Build, measure and release; goes on where it stopped.",
    "evaluate": "Measure a release with suites, alone or against another one.",
    "serve": "Serve the live release over an OpenAI-compatible API.",
    "ask": "Ask one question.",
    "chat": "Ask questions, one after another.",
    "release": "List, show, compare, verify, promote, roll back, revoke and carry releases.",
    "compliance": "What a release can show for the clauses of laws and standards.",
    "experiment": "Canaries, A/B tests and shadows of whole releases.",
    "store": "List, show, verify and clear artifacts; back the store up and bring it back.",
    "knowledge": "Put documents into the project, see how they are read, and find passages in them.",
    "lineage": "Where a row or an answer came from, and what became of it.",
    "key": "Make, list, limit and revoke API keys.",
    "people": "People who sign in to the admin pages and the admin API, and their roles.",
    "review": "Answers that wait for a person: appeals, and those for which too little speaks.",
    "why": "Say why an answer is what it is.",
    "labels": "Check the label of generated content against the log.",
    "webhook": "Test webhooks, see what was delivered, send it again.",
    "mcp": "Offer a running gateway to a desktop assistant (MCP).",
    "audit": "Verify, prove, export and prune the log of calls and admin actions.",
    "privacy": "Find, hand out and erase what is kept of a person, and prove it.",
    "guard": "Train the guard, fill its library of words, try a text.",
    "rules": "Test the business rules.",
    "doctor": "Name what is missing, and the command that mends it.",
}


class _Context(click.Context):
    """Writes help in the language of `main`; the Chinese texts are read only for that."""

    def make_formatter(self) -> click.HelpFormatter:
        if self.obj and self.obj["show"].language == "zh":
            from luodi.cli.translate import ChineseHelp

            return ChineseHelp(self, self.terminal_width, self.max_content_width)
        return super().make_formatter()


class _Commands(click.Group):
    """Knows the commands' names and one-line helps without importing them, so that help is quick."""

    context_class = _Context

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"luodi.cli.{cmd_name}").command
        _in_context(command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _in_context(command: click.Command) -> None:
    command.context_class = _Context
    for each in command.commands.values() if isinstance(command, click.Group) else ():
        _in_context(each)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="luodi")
@click.option(
    "--project", "-p", type=click.Path(path_type=Path, file_okay=False), default=None, help="The project's folder."
)
@click.option("--json", "as_json", is_flag=True, help="Results as JSON lines.")
@click.option("--lang", type=click.Choice(["en", "zh"]), default=None, help="Language; by default that of the locale.")
@click.pass_context
def cli(ctx: click.Context, project: Path | None, as_json: bool, lang: str | None) -> None:
    """Take an open language model to a production service, and prove it, release by release.

    \b
    Examples:
      luodi new helpdesk --template support
      luodi run
      luodi ask "How do I make a form field optional?" --why
    """
    from luodi.cli.show import Show
    from luodi.cli.words import find_language

    ctx.obj = {"project": project, "show": Show(as_json, find_language(lang or ""))}


def _hoist(arguments: list[str]) -> list[str]:
    """--json, --lang and --project are taken anywhere on the line, as people type them."""
    front: list[str] = []
    rest: list[str] = []
    todo = list(arguments)
    while todo:
        word = todo.pop(0)
        if word == "--":
            rest += [word, *todo]
            break
        if word == "--json" or word.startswith(("--lang=", "--project=")):
            front.append(word)
        elif word in ("--lang", "--project") and todo:
            front += [word, todo.pop(0)]
        else:
            rest.append(word)
    return front + rest


def _language(words: list[str]) -> str:
    """What --lang says in front of the command, for errors that come before it is read."""
    for n, word in enumerate(words):
        if word == "--":
            break
        if word.startswith("--lang="):
            return word.removeprefix("--lang=")
        if word == "--lang" and words[n + 1 :]:
            return words[n + 1]
    return ""


def main(arguments: list[str] | None = None) -> None:
    """The entry point. Exit codes: 0 done, 1 gates not passed, 2 something the user can put right,
    3 a mistake of ours, 130 interrupted.
    """
    from luodi.cli.show import Show, fail
    from luodi.cli.words import find_language

    words = _hoist(sys.argv[1:] if arguments is None else arguments)
    show = Show("--json" in words, find_language(_language(words)))
    try:
        result: Any = cli.main(words, prog_name="luodi", standalone_mode=False, obj={"show": show})
        sys.exit(result if isinstance(result, int) else 0)
    except LuodiError as error:
        fail(error.message, error.hint, show)
        sys.exit(2)
    except click.ClickException as error:
        if show.as_json:
            fail(error.format_message(), "", show)
        else:
            error.show()
        sys.exit(2)
    except (KeyboardInterrupt, click.Abort):
        print(file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        # The reader of a pipe has gone (`luodi store ls | head`): nothing is wrong. Python would complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:  # the disk, a folder's permissions: nothing of ours
        fail(f"{error.filename or 'the disk'}: {error.strerror or error}", "", show)
        sys.exit(2)
    except Exception as error:  # a mistake of ours; what it was goes into a file and not before the user
        fail(f"Luodi made a mistake: {type(error).__name__}: {error}", f"the details are in {_write_traceback()}", show)
        sys.exit(3)


def _write_traceback() -> str:
    import tempfile
    import traceback

    with tempfile.NamedTemporaryFile("w", prefix="luodi-", suffix=".log", delete=False) as file:
        file.write(traceback.format_exc())
    return file.name
