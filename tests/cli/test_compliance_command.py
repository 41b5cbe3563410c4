"""`luodi compliance`, as an officer would type it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from luodi.cli import cli
from luodi.store import Store
from luodi.testing import tiny_release


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "luodi.yaml").write_text("name: helpdesk\ncompliance: [gdpr, gb45654]\n")
    tiny_release(Store.of(tmp_path))
    return tmp_path


def run(project: Path, *words: str, code: int = 0):
    result = CliRunner().invoke(cli, ["-p", str(project), *words])
    if code == 2:
        assert result.exception is not None
        return str(result.exception) + result.output
    assert result.exit_code == code, (result.output, result.exception)
    return result.stdout


def test_a_report_of_the_projects_packs(project):
    said = run(project, "--json", "compliance", "report", "helpdesk@1", "--format", "html,json")
    rows = [json.loads(line) for line in said.splitlines()]
    assert [r["pack"] for r in rows[:2]] == ["gdpr", "gb45654"]
    assert rows[1]["counts"]["does_not"] == 4  # none of the banks is there
    for row in rows[2:]:
        assert Path(row["file"]).stat().st_size > 10_000
    assert "Compliance report" in (project / ".luodi" / "reports" / "helpdesk@1-compliance.html").read_text()
    table = run(project, "--lang", "zh", "compliance", "report", "--pack", "pipl", "--to", str(project / "out"))
    assert "个人信息保护法" in table and (project / "out" / "helpdesk@1-compliance.json").is_file()


def test_mistakes_are_told(project):
    assert "no compliance pack 'nothing'" in run(project, "compliance", "report", "--pack", "nothing", code=2)
    assert "no format 'doc'" in run(project, "compliance", "report", "--format", "doc", code=2)
    (project / "luodi.yaml").write_text("name: helpdesk\n")
    assert "no pack is named" in run(project, "compliance", "report", code=2)
    (project / "luodi.yaml").write_text('name: helpdesk\ncompliance: {packs: [gdpr], not_applicable: {X: " "}}\n')
    assert "say why" in run(project, "compliance", "report", code=2)


def test_what_does_not_apply_is_shown_with_its_reason(project):
    (project / "luodi.yaml").write_text(
        "name: helpdesk\ncompliance: {packs: [gdpr], not_applicable: {EU-GDPR-22: nobody is decided about}}\n"
    )
    row = json.loads(run(project, "--json", "compliance", "report", "--format", "json").splitlines()[0])
    (control,) = [c for c in row["controls"] if c["id"] == "EU-GDPR-22"]
    assert (control["status"], control["reason"]) == ("not_applicable", "nobody is decided about")


def test_drafts_and_banks(project):
    run(project, "compliance", "draft", "annex-iv")
    assert "[to fill in: " in (project / "compliance" / "annex-iv.md").read_text()
    assert "is there already" in run(project, "compliance", "draft", "annex-iv", code=2)
    (project / "more.csv").write_text("text,category\n第一题,A.1.1\n第二题,A.3.1\n")
    assert "2" in run(project, "compliance", "bank", "add", "test", str(project / "more.csv"))
    assert "A.1.1 1/50" in run(project, "compliance", "bank", "ls")
    run(project, "compliance", "bank", "draw", "test", "--n", "2", "--to", str(project / "s.csv"))
    assert (project / "s.csv").read_text().startswith("text,category,date,verdict")
    assert "is there already" in run(
        project, "compliance", "bank", "draw", "test", "--to", str(project / "s.csv"), code=2
    )


def test_packs_are_listed(project):
    rows = [json.loads(line) for line in run(project, "--json", "compliance", "ls").splitlines()]
    assert len(rows) == 12 and sum(r["controls"] for r in rows) == 106
