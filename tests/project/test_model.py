from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from luodi.project import BaseModelSource, Project, load, schema

SELF_EXPLAINING = {
    "method",
    "epochs",
    "alpha",
    "dropout",
    "learning_rate",
    "precision",
    "large",
    "small",
    "picks",
    "confidence",
}
SELF_EXPLAINING |= {
    "pick",
    "host",
    "port",
    "privacy",
    "max_answer_tokens",
    "languages",
    "seed",
    "at_least",
    "at_most",
    "train",
    "test",
    "source",
}
SECTIONS = {"base", "knowledge", "data", "scrub", "deduplicate", "compress", "evaluate", "guard", "serve", "gates"}


def objects(which: str) -> Iterator[tuple[str, dict[str, Any]]]:
    whole = json.loads(schema(which))
    yield which, whole
    yield from whole.get("$defs", {}).items()


@pytest.mark.parametrize("which", ["project", "gates"])
def test_every_reference_of_the_schema_leads_somewhere(which: str) -> None:
    text = schema(which)
    defined = set(json.loads(text).get("$defs", {}))
    assert set(re.findall(r'"#/\$defs/(\w+)"', text)) == defined


@pytest.mark.parametrize("which", ["project", "gates"])
def test_schema_knows_its_options(which: str) -> None:
    for name, part in objects(which):
        assert part["type"] == "object", name
        assert part["additionalProperties"] is False, name
        assert set(part.get("required", [])) <= set(part["properties"]), name


@pytest.mark.parametrize("which", ["project", "gates"])
def test_every_option_is_explained(which: str) -> None:
    silent = {
        f"{part}.{name}"
        for part, content in objects(which)
        for name, option in content["properties"].items()
        if "description" not in option and name not in SELF_EXPLAINING | SECTIONS
    }
    assert silent == set()


@pytest.mark.parametrize("which", ["project", "gates"])
def test_every_optional_option_shows_its_default(which: str) -> None:
    without = {
        f"{part}.{name}"
        for part, content in objects(which)
        for name, option in content["properties"].items()
        if name not in content.get("required", []) and "default" not in option
    }
    assert without == set()


def test_defaults_of_durations_are_written_as_people_do() -> None:
    option = json.loads(schema())["$defs"]["Train"]["properties"]["budget"]
    assert option["default"] == "4 min"
    assert all(re.search(option["pattern"], text) for text in (option["default"], *option["examples"]))


def test_schema_lets_base_be_a_text() -> None:
    assert {"type": "string"} in json.loads(schema())["properties"]["base"]["anyOf"]


def test_base_may_be_a_text() -> None:
    assert Project(name="x", base="gguf:a").base == BaseModelSource(source="gguf:a")  # type: ignore[arg-type]


def test_values_do_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Project(name="x").seed = 3  # type: ignore[misc]


def test_dumped_project_is_the_project() -> None:
    project = Project(name="x", train={"budget": "90 s"})  # type: ignore[arg-type]
    assert Project.model_validate(project.model_dump(mode="json")) == project


def test_default_project_is_valid() -> None:
    project = Project(name="x")
    assert Project.model_validate(project.model_dump(mode="json")) == project


def test_prompt_of_the_project(tmp_path: Path) -> None:
    (tmp_path / "luodi.yaml").write_text("name: x\n")
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "answer.md").write_text("Sei höflich.", "utf-8")
    loaded = load(tmp_path)
    assert (loaded.prompt("answer"), loaded.prompt("absent")) == ("Sei höflich.", "")
