"""`luodi doctor`"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click

from luodi.cli.context import root_of, show_of

_NEEDED = {
    "train": ["torch", "transformers", "peft", "accelerate", "gguf", "safetensors", "scikit-learn"],
    "serve": ["openvino-genai", "xllamacpp", "uvicorn", "httptools", "aiohttp"],
    "knowledge": ["rjieba"],
    "data": ["rensa"],
}
_FREE_GB = 4


@click.command()
@click.pass_context
def command(ctx: click.Context) -> int:
    """Look at Python, the libraries, the disk, the memory and the project; name the command that mends each.

    \b
    Example:
      luodi doctor
    """
    show = show_of(ctx)
    missing = 0
    for name, found, fix in _checks(root_of(ctx)):
        missing += bool(fix)
        state = show.say("missing") if fix else show.say("ok")
        show.line(
            f"{state:<8} {name:<18} {found}" + (f"\n         → {fix}" if fix else ""), check=name, found=found, fix=fix
        )
    show.line(show.say("doctor_bad", count=missing) if missing else show.say("doctor_ok"), missing=missing)
    return 2 if missing else 0


def _checks(root: Path) -> Iterator[tuple[str, str, str]]:
    """(what, what was found, the command that mends it or "")."""
    yield "python", sys.version.split()[0], "" if sys.version_info >= (3, 11) else "install Python 3.11 or newer"
    for extra, names in _NEEDED.items():
        for name in names:
            try:
                yield name, version(name), ""
            except PackageNotFoundError:
                yield name, "not installed", f"pip install 'luodi[{extra}]'"
    folder = root if root.exists() else Path.cwd()
    free = shutil.disk_usage(folder).free / 1e9
    yield "disk", f"{free:.0f} GB free", "" if free >= _FREE_GB else f"free {_FREE_GB} GB: luodi store gc"
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    yield (
        "memory",
        f"{memory:.0f} GB, {os.cpu_count()} cores",
        "" if memory >= 4 else "4 GB are needed to train; set train.method to none",
    )
    writable = os.access(folder, os.W_OK)
    yield "project folder", str(folder), "" if writable else f"make {folder} writable, or set LUODI_HOME"
    yield (
        "project file",
        "luodi.yaml" if (root / "luodi.yaml").is_file() else "none here",
        ("" if (root / "luodi.yaml").is_file() else "luodi new helpdesk --template support"),
    )
