"""`luodi release` between two stores, as two operators would type it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from luodi.cli import cli
from luodi.store import Store
from luodi.testing import tiny_release


@pytest.fixture
def projects(tmp_path: Path) -> tuple[Path, Path]:
    for name in ("build", "serve"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "luodi.yaml").write_text("name: helpdesk\nlanguages: [en, zh]\n")
    return tmp_path / "build", tmp_path / "serve"


def run(project: Path, *words: str, code: int = 0, **options):
    result = CliRunner().invoke(cli, ["-p", str(project), *words], **options)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        if code == 0:
            raise result.exception
        return str(result.exception)
    assert result.exit_code == code, result.output
    return result.stdout if "--json" in words else result.output


def test_from_the_build_server_to_the_server_room(projects, tmp_path):
    build, serve = projects
    tiny_release(Store.of(build))
    file = tmp_path / "helpdesk.tar"
    assert "helpdesk@1" in run(build, "release", "export", "helpdesk@1", str(file))
    said = run(serve, "release", "import", str(file), code=2)
    assert "does not trust" in said
    key = run(build, "release", "key")
    run(serve, "release", "trust", "-", input=key)
    assert "helpdesk@1" in run(serve, "release", "import", str(file))
    run(serve, "release", "promote", "helpdesk@1")
    assert run(serve, "release", "verify", "helpdesk@1")
    name = json.loads(run(serve, "--json", "release", "ls").splitlines()[0])
    assert name["channels"] == ["candidate", "live"] and name["revoked"] == ""
    run(serve, "release", "distrust", Store.of(build).keys.sign(b"").key_id)
    assert "does not trust" in run(serve, "release", "verify", "helpdesk@1", code=2)


def test_a_stores_own_key_stays(projects):
    build, _ = projects
    store = Store.of(build)
    tiny_release(store)
    assert "own key" in run(build, "release", "distrust", store.keys.sign(b"").key_id, code=2)
    assert "not trusted here" in run(build, "release", "distrust", "ffff", code=2)
    assert "no public key" in run(build, "release", "trust", "-", input="hello\n", code=2)


def test_revoking_the_live_release_puts_the_previous_one_live(projects):
    build, _ = projects
    store = Store.of(build)
    tiny_release(store)
    run(build, "release", "promote", "helpdesk@1")
    tiny_release(store, documents={"A": "Another text altogether."})
    run(build, "release", "promote", "helpdesk@2")
    said = run(build, "release", "revoke", "helpdesk@2", "--reason", "its data had to go")
    assert "helpdesk@1 is live again" in said and "helpdesk@2 is revoked" in said
    rows = {r["release"]: r for r in map(json.loads, run(build, "--json", "release", "ls").splitlines())}
    assert rows["helpdesk@1"]["channels"] == ["live"] and rows["helpdesk@2"]["channels"] == []
    assert rows["helpdesk@2"]["revoked"] == "its data had to go"
    assert "is revoked" in run(build, "release", "promote", "helpdesk@2", code=2)
    assert "is revoked already" in run(build, "release", "revoke", "helpdesk@2", "--reason", "again", code=2)
    assert "needs a reason" in run(build, "release", "revoke", "helpdesk@1", "--reason", " ", code=2)


def test_diff_in_both_languages_and_as_data(projects):
    build, _ = projects
    store = Store.of(build)
    tiny_release(store)
    tiny_release(store, documents={"A": "Another text altogether."}, failing=True, passages=9)
    text = run(build, "release", "diff", "helpdesk@1", "helpdesk@2", "--lines")
    assert "serve.json" in text and '+ "passages": 9' in text and "answers_supported" in text
    assert "有改动" in run(build, "--lang", "zh", "release", "diff", "helpdesk@1", "helpdesk@2")
    assert "no difference" in run(build, "release", "diff", "helpdesk@1", "helpdesk@1")
    data = json.loads(run(build, "--json", "release", "diff", "helpdesk@1", "helpdesk@2"))
    assert data["measurements"][0]["better"] is False


def test_what_callers_would_notice_stops_a_promotion(projects):
    build, _ = projects
    store = Store.of(build)
    tiny_release(store, models=[{"name": "big", "upstreams": []}])
    run(build, "release", "promote", "helpdesk@1")
    tiny_release(store)
    said = run(build, "release", "promote", "helpdesk@2", code=2)
    assert "can't take the place" in said and "big" in said
    run(build, "release", "promote", "helpdesk@2", "--anyway")
