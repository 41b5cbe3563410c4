"""What commands start from: the project, its store, and the way out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from luodi.cli.show import Show, warn
from luodi.errors import ProjectError

if TYPE_CHECKING:
    from luodi.project import Loaded
    from luodi.store import Store


def show_of(ctx: click.Context) -> Show:
    found: Show = ctx.find_root().obj["show"]
    return found


def root_of(ctx: click.Context) -> Path:
    """The project's folder: --project, or the nearest one at or above this folder."""
    given: Path | None = ctx.find_root().obj["project"]
    if given is not None:
        return given
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "luodi.yaml").is_file():
            return folder
    return here


def loaded_of(ctx: click.Context) -> Loaded:
    from luodi.project import ignored, load

    loaded = load(root_of(ctx))
    for text in ignored(loaded.project):
        warn(text, show_of(ctx))
    return loaded


def store_of(ctx: click.Context, loaded: Loaded | None = None) -> Store:
    """The project's store. Raises: ProjectError where there is no project."""
    from luodi.store import Store

    root = root_of(ctx)
    if loaded is None:
        if not (root / "luodi.yaml").is_file():
            raise ProjectError(f"there is no project in {root}", "`luodi new NAME --template support` makes one")
        loaded = loaded_of(ctx)
    return Store.of(root, loaded.project.store)
