"""What a stage's code is: its module and everything of Luodi that it imports, directly or not.

The digest of these files is part of the stage's key, so an edit of a helper makes the stage run again. The rooms
that only carry a stage (store, project, the runner) are left out: they can't change what a stage computes.
"""

from __future__ import annotations

import re
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from luodi.store.digest import digest_bytes, digest_json

_IMPORT = re.compile(
    rb"^[ \t]*(?:from[ \t]+([\w.]+)[ \t]+import[ \t]*(\([^)#]*(?:#[^\n]*[^)#]*)*\)|[^\n]*)|import[ \t]+([\w., \t]+))",
    re.M,
)
_CARRIERS = ("luodi.store", "luodi.errors", "luodi.project")
_CARRIER_MODULES = {
    f"luodi.pipeline.{m}" for m in ("code", "runner", "run", "executor", "lineage", "progress", "lease", "stage")
}
_CARRIER_MODULES |= {"luodi"}


@cache
def _file(module: str) -> Path | None:
    """Source of a module, found on the path of its top package without importing anything below it."""
    top, _, rest = module.partition(".")
    if top == "__main__":  # a script that runs stages of its own
        script = getattr(sys.modules["__main__"], "__file__", None)
        return Path(script) if script else None
    spec = find_spec(top)
    if spec is None or not spec.submodule_search_locations:
        return Path(spec.origin) if spec and spec.origin and not rest else None
    base = Path(next(iter(spec.submodule_search_locations)), *rest.split(".")) if rest else None
    for candidate in (base.with_suffix(".py"), base / "__init__.py") if base else (Path(spec.origin or ""),):
        if candidate.is_file():
            return candidate
    return None


@cache
def _read(path: Path, module: str) -> tuple[str, frozenset[str]]:
    """Digest of a module's source, and the modules of the same top package that it names in imports."""
    source = path.read_bytes()
    package = (module if path.name == "__init__.py" else module.rpartition(".")[0]).split(".")
    names: set[str] = set()
    for match in _IMPORT.finditer(source):
        if match[3]:  # import a.b, c as d
            names.update(part.split()[0] for part in match[3].decode().split(",") if part.split())
            continue
        absolute = match[1].decode().lstrip(".")
        dots = len(match[1]) - len(absolute.encode())
        origin = ".".join([*package[: len(package) + 1 - dots], absolute]).rstrip(".") if dots else absolute
        names.add(origin)
        for name in re.findall(rb"\w+", re.sub(rb"#[^\n]*", b"", match[2])):
            names.add(f"{origin}.{name.decode()}")
    top = module.split(".")[0]
    return digest_bytes(source), frozenset(name for name in names if name.split(".")[0] == top)


def _data_files(folder: Path) -> list[Path]:
    """Word lists, tables and templates that lie beside the code and decide what it does."""
    return sorted(p for p in folder.iterdir() if p.suffix in (".txt", ".csv", ".json", ".j2"))


@cache
def code_files(module: str) -> dict[str, str]:
    """Digest of every source file that `module` needs, by module name."""
    found: dict[str, str] = {}
    todo = [module]
    while todo:
        name = todo.pop()
        if name in found or name in _CARRIER_MODULES or name.startswith(_CARRIERS):
            continue
        path = _file(name)
        if path is None:
            continue
        digest, names = _read(path, name)
        todo.extend(names)
        if name == "luodi.pipeline":  # a door, not code: `from luodi.pipeline import Row` leads on to rows.py
            continue
        found[name] = digest
        if path.name == "__init__.py":
            found |= {f"{name}/{p.name}": digest_bytes(p.read_bytes()) for p in _data_files(path.parent)}
        if "." in name:
            todo.append(name.rpartition(".")[0])
    return found


@cache
def code_digest(module: str) -> str:
    return digest_json(code_files(module))
