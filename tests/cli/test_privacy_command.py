"""`luodi privacy`, as a data protection officer would type it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from luodi.store import Store
from luodi.testing import tiny_release


@pytest.fixture
def people(project: Path) -> Path:
    (project / "luodi.yaml").write_text(
        "name: helpdesk\nlanguages: [en]\nknowledge:\n"
        '  - {source: "file:documents", glob: "**/*.md", licence: LicenseRef-own, basis: own}\n'
    )
    (project / "documents" / "people.md").write_text("# People\n\nAsk Zhang San, on 138 0013 8000.\n", "utf-8")
    return project


def test_found_forgotten_and_checked(run, people: Path, store: Store) -> None:
    tiny_release(store, documents={"Desk": "Ask Zhang San at the night desk."})
    found = run("privacy", "find", "--value", "Zhang San")
    assert found.code == 0 and "people.md" in found.out and "helpdesk@1" in found.out and "Zhang San" not in found.out
    assert run("privacy", "forget", "--value", "Zhang San").code == 2
    done = run("--json", "privacy", "forget", "--value", "Zhang San", "--reason", "asked").lines()[0]
    assert done["flagged"] == ["helpdesk@1"] and Path(done["certificate"]).is_file()
    assert "! forgotten" in run("release", "ls").out and "1 passages" in run("release", "show", "helpdesk@1").out
    checked = run("privacy", "check", done["certificate"], "--value", "Zhang San")
    assert checked.code == 0 and "it holds" in checked.out
    (people / "documents" / "new.md").write_text("# New\n\nZhang San is back.\n", "utf-8")
    checked = run("--json", "privacy", "check", done["certificate"], "--value", "Zhang San")
    assert checked.code == 1 and any("new.md" in line.get("wrong", "") for line in checked.lines())


def test_export(run, people: Path) -> None:
    out = run("--json", "privacy", "export", "--value", "13800138000", "--to", "out").lines()[0]
    assert out["entries"]["documents"] == 1
    assert json.loads(Path("out/documents.json").read_bytes())[0]["path"] == "people.md"


def test_mistakes(run, people: Path) -> None:
    assert "--subject" in run("privacy", "find").err
    assert "user:NAME" in run("privacy", "find", "--subject", "4711").err
    assert "too short" in run("privacy", "find", "--value", "Li").err
    assert "nothing is found" in run("privacy", "find", "--subject", "user:0", "--value", "nobody").out
    assert run("privacy", "check", "luodi.yaml").code == 2
