"""Documents put into a project, and the line that names them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from luodi.data.place import name_source, put
from luodi.errors import ProjectError


def test_put_says_what_it_did(tmp_path: Path) -> None:
    file = tmp_path / "documents" / "sub" / "a.txt"
    assert [put(file, b"1"), put(file, b"1"), put(file, b"2")] == ["new", "same", "changed"]
    assert file.read_bytes() == b"2" and [p.name for p in file.parent.iterdir()] == ["a.txt"]


@pytest.mark.parametrize(
    "text",
    [
        "name: desk\nknowledge: # what answers come from\n  # old\n  - {source: 'file:x'}\nserve: {port: 1}\n",
        "name: desk\nknowledge:\n- source: file:x\n  glob: '*'\n",
        "name: desk\n",
        "name: desk\nknowledge:\n",
    ],
)
def test_a_source_is_added_once_and_all_else_stays(tmp_path: Path, text: str) -> None:
    path = tmp_path / "luodi.yaml"
    path.write_text(text)
    assert name_source(path, "documents", "MIT", "own")
    made = path.read_text()
    added = {"source": "file:documents", "glob": "**/*", "licence": "MIT", "basis": "own"}
    data = yaml.safe_load(made)
    assert data["knowledge"][0] == added
    assert data["knowledge"][1:] == (yaml.safe_load(text).get("knowledge") or [])
    assert [line for line in made.splitlines() if line.strip() and "file:documents" not in line] == [
        line for line in [*text.splitlines(), *([] if "knowledge" in text else ["knowledge:"])] if line.strip()
    ]
    assert not name_source(path, "documents", "MIT", "own") and path.read_text() == made


@pytest.mark.parametrize("text", ["knowledge: [{source: 'file:x'}]\n", "knowledge: {a: 1}\n"])
def test_what_a_line_cannot_be_added_to_is_left_as_it_is(tmp_path: Path, text: str) -> None:
    path = tmp_path / "luodi.yaml"
    path.write_text(text)
    with pytest.raises(ProjectError, match="source can"):
        name_source(path, "documents", "MIT", "own")
    assert path.read_text() == text
