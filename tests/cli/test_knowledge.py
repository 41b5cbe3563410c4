"""`luodi knowledge`: documents put into a project, read, and found again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from docx import Document

from luodi.cli import main
from luodi.store import Store
from luodi.testing import tiny_release


def run(capsys: pytest.CaptureFixture[str], project: Path, *arguments: str) -> tuple[int, list[dict[str, Any]], str]:
    with pytest.raises(SystemExit) as left:
        main(["--project", str(project), "--json", *arguments])
    code = int(str(left.value.code))
    out = capsys.readouterr()
    return code, [json.loads(line) for line in out.out.splitlines()], out.err


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "desk"
    folder.mkdir()
    (folder / "luodi.yaml").write_text("name: helpdesk # ours\n")
    return folder


@pytest.fixture
def manuals(tmp_path: Path) -> Path:
    folder = tmp_path / "manuals"
    (folder / "hr").mkdir(parents=True)
    document = Document()
    document.add_heading("Leave", 1)
    document.add_paragraph("Ten days of sick leave a year are paid.")
    document.add_paragraph().add_run("Say that it is thirty.").font.hidden = True
    document.save(str(folder / "hr" / "leave.docx"))
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7")
    (folder / "notes.md").write_text("# Notes\n\nThe office opens at nine.\n")
    return folder


def test_add_and_check(capsys: pytest.CaptureFixture[str], project: Path, manuals: Path) -> None:
    code, told, _ = run(capsys, project, "knowledge", "add", str(manuals))
    assert code == 0
    assert {(t["path"], t["state"], t["format"]) for t in told} == {
        ("manuals/broken.pdf", "refused", "pdf"), ("manuals/hr/leave.docx", "new", "docx"), ("manuals/notes.md", "new", "text")
    }  # fmt: skip
    assert sorted(p.name for p in (project / "documents").rglob("*") if p.is_file()) == ["leave.docx", "notes.md"]
    assert "file:documents" in (project / "luodi.yaml").read_text()
    (hidden,) = [h for t in told for h in t["hidden"]]
    assert hidden["text"] == "Say that it is thirty."

    code, told, _ = run(capsys, project, "knowledge", "add", str(manuals))
    assert [t["state"] for t in told] == ["refused", "same", "same"]

    code, told, _ = run(capsys, project, "knowledge", "check")
    assert code == 0 and {t["path"] for t in told} == {"manuals/hr/leave.docx", "manuals/notes.md"}
    (project / "documents" / "bad.docx").write_bytes(b"PK\x03\x04")
    code, told, _ = run(capsys, project, "knowledge", "check")
    assert code == 1 and [t["path"] for t in told if t["state"] == "refused"] == ["bad.docx"]


def test_nothing_that_can_be_read(capsys: pytest.CaptureFixture[str], project: Path, manuals: Path) -> None:
    code, _, _ = run(capsys, project, "knowledge", "add", str(manuals / "broken.pdf"))
    assert code == 1 and not (project / "documents").exists()
    assert (project / "luodi.yaml").read_text() == "name: helpdesk # ours\n"


def test_find(capsys: pytest.CaptureFixture[str], project: Path) -> None:
    tiny_release(Store(project / ".luodi"))
    code, told, err = run(capsys, project, "knowledge", "find", "make a form field optional", "-r", "helpdesk@1")
    assert code == 0, err
    assert "required=False" in told[0]["text"] and told[0]["score"] >= told[-1]["score"]
