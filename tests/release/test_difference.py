"""What changed from one release to the next, and whether the next can take its place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from luodi.release.compatible import clashes
from luodi.release.difference import compare
from luodi.store import Store
from luodi.testing import tiny_release
from luodi.testing.bundle import DOCUMENTS


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("two") / "store")


def opened(store: Store, **options) -> tuple[Path, dict]:
    folder = store.artifacts.get(tiny_release(store, **options).digest).files
    return folder, json.loads((folder / "passport.json").read_bytes())


def test_the_same_content_is_no_difference(store):
    a, b = opened(store), opened(store)
    found = compare(a[0], b[0], a[1], b[1])
    assert not any(found.documents.values()) and not found.measurements
    assert [p.path for p in found.parts] == ["cards/mlbom.cdx.json"]  # names its version


def test_each_change_is_in_its_group(store):
    documents = dict(DOCUMENTS)
    documents["New › Page"] = "A page that was not there before. It says something new."
    del documents["Caching › Timeouts"]
    a = opened(store)
    b = opened(store, documents=documents, failing=True, passages=7)
    found = compare(a[0], b[0], a[1], b[1])
    by_path = {p.path: p for p in found.parts}
    assert by_path["index/index.sqlite"].group == "knowledge"
    assert by_path["serve.json"].group == "serving"
    assert any(line.startswith("+") and "7" in line for line in by_path["serve.json"].lines)
    assert "weights/large.gguf" not in by_path
    # documents are named by number in this fixture, so the last one's text differs
    assert found.documents["changed"] or found.documents["added"]
    (moved,) = found.measurements
    assert (moved.name, moved.before, moved.after, moved.better, moved.apart) == (
        "answers_supported",
        1.0,
        0.5,
        False,
        True,
    )


def test_parts_that_came_and_went(store):
    a, b = opened(store), opened(store)
    extra = b[0] / "guard" / "rules.yaml"
    extra.parent.chmod(0o755)
    extra.write_text("rules: []\n")
    there = {p.path: p.change for p in compare(a[0], b[0], a[1], b[1]).parts}
    back = {p.path: p.change for p in compare(b[0], a[0], b[1], a[1]).parts}
    extra.unlink()
    assert there["guard/rules.yaml"] == "added" and back["guard/rules.yaml"] == "removed"


def changed(folder: Path, target: Path, **values) -> Path:
    """A copy of what `clashes` reads, with other values."""
    import shutil

    shutil.copytree(folder, target)
    for path, update in values.items():
        file = target / {"model": "weights/luodi-model.json"}.get(path, f"{path}.json")
        file.chmod(0o644)
        file.write_text(json.dumps(json.loads(file.read_bytes()) | update))
    return target


def test_a_release_may_follow_itself(store):
    folder, _ = opened(store)
    assert clashes(folder, folder) == []


def test_what_callers_would_notice(store, tmp_path):
    folder, passport = opened(store)
    shorter = changed(folder, tmp_path / "short", model={"context": 512})
    assert [(c.what, c.level) for c in clashes(folder, shorter)] == [("context length", "block")]
    assert clashes(shorter, folder) == []  # longer is fine
    english = changed(folder, tmp_path / "en", passport={"project": passport["project"] | {"languages": ["en"]}})
    assert clashes(folder, english)[0].before == "zh"
    models = changed(folder, tmp_path / "models", serve={"models": [{"name": "big"}], "answers": "extracted"})
    found = clashes(models, folder)
    assert [(c.what, c.level) for c in found] == [("models served", "block"), ("how answers are made", "warn")]
    policy = json.loads((folder / "policy.json").read_bytes())["guard"]
    loose = changed(folder, tmp_path / "loose", policy={"guard": policy | {"input": policy["input"][:1]}})
    assert {c.what for c in clashes(folder, loose)} == {"guard check"}
