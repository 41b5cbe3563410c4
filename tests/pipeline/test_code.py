from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from luodi.pipeline import Runner, Stage, code
from luodi.pipeline.code import code_digest, code_files
from luodi.store import Store


class Nothing(BaseModel):
    pass


FILES = {
    "__init__.py": "",
    "stages.py": """
from toypack.helper import text
def run(ctx):
    ctx.write_json('a.json', text())
def other(ctx):
    pass
""",
    "helper.py": """
from toypack.deep import (
    word,  # a remark with )
    more,
)
def text():
    return word.WORD
""",
    "deep/__init__.py": "",
    "deep/word.py": "WORD = 'old'\n",
    "deep/more.py": "import toypack.far as far, toypack.farther\n",
    "far.py": "from . import near\nfrom .deep.deepest import x\n",
    "farther.py": "import os, json\n",
    "near.py": "",
    "deep/deepest.py": "from ..beside import y as x\nfrom .  import word\n",
    "beside.py": "y = 1\n",
    "unused.py": "",
    "separate.py": "def run(ctx):\n    ctx.write_json('b.json', 1)\n",
}
Edit = Callable[[str, str], None]


def forget() -> None:
    """What a new process would not know."""
    for cached in (code._file, code._read, code_files, code_digest):
        cached.cache_clear()
    for name in [name for name in sys.modules if name.split(".")[0] == "toypack"]:
        del sys.modules[name]
    importlib.invalidate_caches()


@pytest.fixture
def edit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Edit]:
    def write(name: str, text: str) -> None:
        path = tmp_path / "packages" / "toypack" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        forget()

    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.syspath_prepend(tmp_path / "packages")
    for name, text in FILES.items():
        write(name, text)
    yield write
    forget()


def run(root: Path) -> tuple[list[str], object]:
    """The stages that ran, and what the first one made."""
    stages = importlib.import_module("toypack.stages"), importlib.import_module("toypack.separate")
    store = Store(root / "store")
    listed = [
        Stage("first", stages[0].run, Nothing()),
        Stage("below", stages[0].other, Nothing(), {"first": "first"}),
        Stage("separate", stages[1].run, Nothing()),
    ]
    runner = Runner(store, listed, project=root, seed=1)
    wanted = [planned.stage for planned in runner.plan() if planned.why]
    done = runner.run()
    return wanted, (store.artifacts.get(done["first"].output).files / "a.json").read_text().strip()


USED = sorted(set(FILES) - {"unused.py", "separate.py"})


@pytest.mark.usefixtures("edit")
def test_files_of_a_stage_are_what_it_imports() -> None:
    modules = {
        name.removesuffix(".py").removesuffix("/__init__").removesuffix("__init__").replace("/", ".") for name in USED
    }
    assert set(code_files("toypack.stages")) == {f"toypack.{name}".rstrip(".") for name in modules}


@pytest.mark.parametrize("name", USED)
def test_edit_of_any_of_them_runs_the_stage_again(edit: Edit, tmp_path: Path, name: str) -> None:
    run(tmp_path)
    edit(name, FILES[name] + "# edited\n")
    assert run(tmp_path)[0][0] == "first"


@pytest.mark.parametrize("name", ["unused.py"])
def test_edit_of_another_file_runs_nothing(edit: Edit, tmp_path: Path, name: str) -> None:
    run(tmp_path)
    edit(name, "# edited\n")
    assert run(tmp_path)[0] == []


def test_edit_of_a_stage_leaves_others_alone(edit: Edit, tmp_path: Path) -> None:
    run(tmp_path)
    edit("separate.py", FILES["separate.py"] + "# edited\n")
    assert run(tmp_path)[0] == ["separate"]


def test_edit_of_a_helper_changes_the_result(edit: Edit, tmp_path: Path) -> None:
    assert run(tmp_path)[1] == '"old"'
    edit("deep/word.py", "WORD = 'new'\n")
    assert run(tmp_path)[1] == '"new"'


def test_new_import_is_seen(edit: Edit) -> None:
    edit("separate.py", "def run(ctx):\n    from toypack import unused\n")
    assert "toypack.unused" in code_files("toypack.separate")


def test_records_are_code_of_the_stages_that_use_them() -> None:
    assert {"luodi.pipeline.rows", "luodi.pipeline.measurement"} <= set(code_files("luodi.data.clean"))


def test_what_only_carries_a_stage_is_left_out() -> None:
    files = set(code_files("luodi.data.collect"))
    assert not {name for name in files if name.startswith(("luodi.store", "luodi.project"))}
    assert not files & {"luodi", "luodi.errors", "luodi.pipeline", "luodi.pipeline.runner", "luodi.pipeline.code"}


def test_digest_follows_the_files(edit: Edit) -> None:
    first = code_digest("toypack.stages")
    edit("near.py", "z = 1\n")
    assert code_digest("toypack.stages") != first


def test_module_that_is_not_there_has_no_files() -> None:
    assert code_files("no_such_package.module") == {}
