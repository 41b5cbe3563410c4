"""`luodi new`"""

from __future__ import annotations

import re
import shutil
from importlib.resources import as_file, files
from pathlib import Path

import click

from luodi.cli.context import show_of
from luodi.errors import LuodiError
from luodi.store.atomic import disk_errors


def templates() -> list[str]:
    return sorted(p.name for p in files("luodi.templates").iterdir() if p.is_dir() and not p.name.startswith("_"))


@click.command()
@click.argument("name")
@click.option(
    "--template", "-t", default="support", show_default=True, help="What to copy; `support` answers questions."
)
@click.pass_context
def command(ctx: click.Context, name: str, template: str) -> None:
    """Make a project in a new folder NAME.

    \b
    Example:
      luodi new helpdesk --template support
    """
    show = show_of(ctx)
    if template not in templates():
        raise LuodiError(f"there is no template {template!r}", f"there are {', '.join(templates())}")
    target = Path(name)
    slug = target.name
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,62}", slug):
        raise LuodiError(
            f"{slug!r} can't be a project's name", "use lower-case letters, digits and dashes, for instance help-desk"
        )
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise LuodiError(f"{target} is already there", "choose another name, or remove it")
    with disk_errors(f"{target} could not be made"), as_file(files("luodi.templates") / template) as source:
        shutil.copytree(source, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", "*.py"))
    (target / "gitignore").rename(target / ".gitignore")
    project = target / "luodi.yaml"
    project.write_text(re.sub(r"(?m)^name: .*$", f"name: {slug}", project.read_text("utf-8"), count=1), "utf-8")
    show.line(show.say("made", path=target), made=str(target), template=template)
    if not show.as_json:
        for path in sorted(target.rglob("*")):
            if path.is_file():
                show.line(f"  {path.relative_to(target)}")
        show.line(show.say("next_steps", path=target))
